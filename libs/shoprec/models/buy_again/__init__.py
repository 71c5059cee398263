"""What the user buys again and again."""
