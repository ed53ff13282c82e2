"""The rules of GitHub: licences, paths, licence headers, and the quality of source files."""
