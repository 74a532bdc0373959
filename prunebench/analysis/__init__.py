"""The table of records and its statistics."""
