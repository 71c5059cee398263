"""The jobs: one short script each; the stem names the table that it writes."""
