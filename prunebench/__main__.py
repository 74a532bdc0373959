"""`python -m prunebench` is `prunebench`."""

import sys

# The working directory, which `-m` puts first, is no place to import from: it may hold a random.py.
if not sys.flags.safe_path:
    del sys.path[0]

from prunebench.cli import main

if __name__ == "__main__":
    main()
