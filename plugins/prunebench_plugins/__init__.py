"""Built-in components: one file a component or family, one entry point a kind (quantities: diagnostics')."""
