"""C4, as it was published or made anew from WET files."""
