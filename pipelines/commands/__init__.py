"""The commands of the pipelines, one module per kind; each is imported when it is called."""
