"""What a run shows while it goes on: counts, a pace, an end time."""
