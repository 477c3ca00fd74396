"""Run inside a container: imports each module of the standard library that lies there.

Prints as one JSON object their names, and what those that do not import say.
"""

import importlib
import io
import json
import os
import pkgutil
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout

# They start a browser, a program, a window or the tests of Python itself.
LEFT_ALONE = {"__main__", "antigravity", "idlelib", "test", "tkinter", "turtledemo"}


def modules(folders: "list[str]", prefix: str = "") -> Iterator[str]:
    """The names of all modules in folders and in the packages there."""
    for module in pkgutil.iter_modules(folders, prefix):
        name = module.name.rpartition(".")[2]
        if name in LEFT_ALONE:
            continue
        yield module.name
        if module.ispkg:
            inside = [os.path.join(folder, name) for folder in folders]
            yield from modules(inside, f"{module.name}.")


library = sysconfig.get_path("stdlib")
names = {
    *sys.builtin_module_names,
    *modules([library, os.path.join(library, "lib-dynload")]),
}
failures = {}
with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
    for name in sorted(names):
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            failures[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"modules": sorted(names), "failures": failures}))
