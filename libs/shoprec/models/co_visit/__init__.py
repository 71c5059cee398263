"""Items that follow each other in users' histories."""
