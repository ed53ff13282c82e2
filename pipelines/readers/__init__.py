"""The readers are plain generators that turn the bytes of the sources' file formats into rows."""
