"""What sells more than it used to in the home market."""
