"""Find, read and write files on disks, object stores and web servers."""
