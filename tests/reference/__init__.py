"""Independent implementations that the tests compare prunebench with; nothing here imports prunebench.

Written from the papers' definitions and from what the documentation says of random numbers, in plain torch and
numpy: what they share with prunebench is the definition alone.
"""
