"""Checks: what a suite claims of its own results. Works on labels of the table, never on a suite's cells."""
