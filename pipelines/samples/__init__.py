"""Write sample inputs in the real formats of the sources."""
