"""What of a plan is there: snapshots, rows, estimates, exports."""
