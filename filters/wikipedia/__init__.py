"""The rules of Wikipedia: which pages stay, and how wikitext becomes text."""
