"""What is no package: made or fetched once per machine."""
