"""The pipeline of Wikipedia turns dumps in twenty languages into documents."""
