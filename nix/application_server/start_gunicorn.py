#!/application_root/.venv/bin/python
"""Starts Gunicorn as its own program does, without what only some of its options need.

Gunicorn 20 imports setuptools' ``pkg_resources`` for settings that begin with ``egg:``.
That takes a fifth of the time until the first answer, and 6 MB, so here it is imported
when somebody first uses it. In images this file is the program ``gunicorn``, ahead of
the environment's own on PATH.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import threading
from types import ModuleType
from typing import Any

POSTPONED = "pkg_resources"


class PostponedModule(ModuleType):
    """Stands for a module until one of its attributes is asked for, and passes these on.

    ``importlib.util.LazyLoader`` does not do: an import statement looks at ``__spec__``
    of a module that is there already, and that loads its modules.
    """

    _lock = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        """Import the module, which takes this one's place, and return its attribute."""
        with self._lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def postpone(name: str) -> None:
    """Have a module imported when it is first used; nothing happens if there is none."""
    spec = importlib.util.find_spec(name)
    if spec is not None:
        sys.modules[name] = PostponedModule(name)
        sys.modules[name].__spec__ = spec


def main() -> None:
    """Start Gunicorn with this process's arguments; ends with its exit status."""
    postpone(POSTPONED)
    try:
        from gunicorn.app.wsgiapp import run
    except ModuleNotFoundError as error:
        if error.name != "gunicorn":
            raise
        sys.exit(f"{sys.prefix} has no Gunicorn: poetry add gunicorn uvicorn")
    run()


if __name__ == "__main__":
    main()
