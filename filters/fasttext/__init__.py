"""fastText models, with a C extension that gives the same answers faster."""
