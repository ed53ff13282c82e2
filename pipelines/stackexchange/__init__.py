"""Stack Exchange: threads with their answers by score."""
