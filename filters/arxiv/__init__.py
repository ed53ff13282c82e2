"""arXiv: papers with their macros expanded."""
