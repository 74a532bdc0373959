"""Cells to jobs: keys, the graph, the frozen plan."""
