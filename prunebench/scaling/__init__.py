"""Laws of the error of pruned networks: measured points, functional forms, fits (imports no torch)."""
