"""What a recipe costs before it is run: ``python -m pipelines plan``."""
