"""The models that sources use: found, loaded, and trained."""
