"""What is like the texts of what a user met last."""
