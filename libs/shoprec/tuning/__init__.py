"""Settings found by trials: of sources of candidates, on days before the as-of date."""
