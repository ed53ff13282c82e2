"""What must be decided across documents: claims, their decision, and what follows from it."""
