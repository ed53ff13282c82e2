"""GitHub: permissively licensed source files."""
