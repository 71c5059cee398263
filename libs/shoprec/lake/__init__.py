"""The only code that reads or writes Delta."""

from shoprec.lake.lake import Lake, Written

__all__ = ["Lake", "Written"]
