"""Neighbours of items, and what a user's items say through them."""
