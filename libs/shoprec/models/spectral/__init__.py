"""The strongest directions of who chose what, by randomised singular value decomposition."""
