"""Raw data in: what a shop's YAML says, where files are, how they are read, mapped onto our tables, and refused."""
