"""Runs one job: reads and writes the store."""
