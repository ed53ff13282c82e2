"""Books: Project Gutenberg, and Books3 by a path that the user gives."""
