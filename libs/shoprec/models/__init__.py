"""Models: each in a folder of its own, config.py beside model.py."""
