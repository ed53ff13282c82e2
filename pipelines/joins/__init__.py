"""Decisions across documents: claims, how they are decided, and how verdicts are applied."""
