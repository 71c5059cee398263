"""What comes next in a user's history, from what came before, in its order."""
