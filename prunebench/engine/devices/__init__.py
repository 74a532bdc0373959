"""The GPUs and cores that a worker computes on, and what is to be done where one fails."""
