"""Hook specifications, components, loading of plugins, identity."""
