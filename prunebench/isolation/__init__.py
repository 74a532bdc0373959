"""Code of others runs, and afterwards everything outside it is as it was (imports no torch by itself).

`isolated(who)` brackets a call. Settings that any library may touch (random states, threads, flags of torch,
warnings, logging, the environment, the working directory, …) are put back without a word. What would change
the results of others is put back as well, and the call has failed: hooks that torch runs everywhere, replaced
functions, the default device and dtype, modes of torch, handlers of signals.
"""

from prunebench.isolation.bracket import Watch, isolated, listed, running, same_process
from prunebench.isolation.names import settle

__all__ = ["Watch", "isolated", "listed", "running", "same_process", "settle"]
