"""Built-in ablations."""
