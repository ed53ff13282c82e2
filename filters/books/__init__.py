"""Rules for books: Project Gutenberg, Books3 and other trees of texts."""
