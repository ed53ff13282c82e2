"""Find, load and train the models that sources use."""
