"""Files, stores and listings: found, read, and written whole or not at all."""
