"""Artifacts, records, measures, attempts, claims: a folder, no server."""
