"""What ends a worker that hangs, eats all memory, or leaves processes behind."""
