"""The file format, and its cells."""
