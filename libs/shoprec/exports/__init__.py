"""What leaves the suite: recommendations as files, with a manifest that proves them whole."""
