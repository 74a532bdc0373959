"""Where and when jobs run: the local engine, pytest."""
