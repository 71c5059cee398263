"""What sells most in the home market."""
