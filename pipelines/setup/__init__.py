"""Build or fetch, once per machine, what no package provides."""
