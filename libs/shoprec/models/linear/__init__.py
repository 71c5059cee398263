"""Items that foretell each other, all at once, by one ridge regression."""
