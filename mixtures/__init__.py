"""Mixtures of sources: weights, what they imply, and the order of training sequences."""
