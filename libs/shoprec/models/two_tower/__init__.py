"""Two towers: users and items as vectors whose dot product says how likely the user is to choose the item."""
