"""Bytes in, rows out: plain generators over the sources' file formats."""
