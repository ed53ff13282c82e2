"""Sample inputs of our own, in the real formats of the sources."""
