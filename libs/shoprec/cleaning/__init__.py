"""What makes mapped rows clean: one row for equal keys, versions in their order, prices out of purchases."""
