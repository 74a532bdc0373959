"""Built-in initializations."""
