"""Runs a module as `python -m` does, as a container's process 1.

The kernel delivers no signal to process 1 for which it has no handler (pid_namespaces(7)), so
that `docker stop` would wait in vain: SIGTERM is made to interrupt as Ctrl-C does.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import signal
import sys
from collections.abc import Sequence

# As a shell's "command not found" (POSIX, "Exit Status for Commands").
NOT_FOUND = 127


def run_module(words: Sequence[str]) -> int:
    """Run the module `words[0]` with the other words as its arguments.

    Where it exists it ends the process itself, as programs do. Returns the exit status
    where it does not exist, with one line on standard error, or ends without one.
    """
    module, *arguments = words
    # What `python -m` puts first (Python's documentation, "sys.path").
    sys.path[0] = os.getcwd()
    if importlib.util.find_spec(module) is None:
        print(
            f"{module} is not installed in {sys.prefix}: use an image with the"
            f" development dependencies, or poetry add --group dev {module}",
            file=sys.stderr,
        )
        return NOT_FOUND
    sys.argv = [module, *arguments]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_module(sys.argv[1:]))
