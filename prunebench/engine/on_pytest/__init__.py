"""The run in pytest: suites are collected, a cell is an item, pytest-xdist starts the workers."""
