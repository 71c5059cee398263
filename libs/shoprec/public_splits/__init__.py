"""Public splits, by the jobs that run on a shop's lake."""
