"""A thread that notices when a file of the application has changed.

Gunicorn's own reloader asks for the modification times of imported modules once a
second and accepts only newer ones. This one looks four times a second, takes any
difference for a change (an older time, another size, another file of the same name),
and sees files that appear or disappear, also those that were never imported.
"""

from __future__ import annotations

import contextlib
import glob
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator

INTERVAL = 0.25
REST_PER_WORK = 9
SKIPPED_FOLDERS = ("__pycache__", "node_modules", "site-packages")

Signature = tuple[int, int, int]


def file_signature(path: str) -> Signature | None:
    """Return what differs once a file was changed, or ``None`` where there is none.

    The numbers are the modification time in nanoseconds, the size in bytes and the
    inode, which tells a file from another one that was renamed over it.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def python_files(folder: str) -> Iterator[str]:
    """Yield the paths of the Python files below a folder.

    Hidden files and folders, virtual environments and folders in which a programmer
    edits nothing are left out. Links to folders are not followed.
    """
    for parent, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and name not in SKIPPED_FOLDERS
        ]
        for name in files:
            if name.endswith(".py") and not name.startswith("."):
                yield os.path.join(parent, name)


def module_files() -> Iterator[str]:
    """Yield the paths of the files that the imported modules come from.

    A module of byte code is given by the path of its source.
    """
    for module in tuple(sys.modules.values()):
        path = None
        with contextlib.suppress(Exception):
            path = vars(module).get("__file__")
        if isinstance(path, str):
            yield os.path.abspath(path[:-1] if path.endswith(".pyc") else path)


class ApplicationReloader(threading.Thread):
    """Calls ``changed`` once, with the path of the first file found to have changed.

    Watched are the Python files below ``folder``, the files of imported modules wherever
    they are, and ``extra_files``, paths or patterns of ``glob``. What counts is the state
    of the files when the object is made: make it before the application is imported, and
    an edit that comes during the import is noticed too. Modules outside of ``folder``
    count from the moment they are first seen.

    ``interval`` is the time between two looks in seconds. It grows with the time that a
    look takes, so that a huge folder costs a tenth of a processor at most.
    """

    def __init__(
        self,
        folder: str,
        changed: Callable[[str], None],
        extra_files: Iterable[str] = (),
        interval: float = INTERVAL,
    ) -> None:
        super().__init__(name="application-reloader", daemon=True)
        self._folder = os.path.abspath(folder)
        self._changed = changed
        self._interval = interval
        self._stopped = threading.Event()
        self._patterns = [name for name in extra_files if glob.has_magic(name)]
        self._missing: set[str] = set()
        self._known: dict[str, Signature | None] = {
            path: file_signature(path) for path in self._expected_files()
        }
        for name in extra_files:
            self.add_extra_file(name)

    def _expected_files(self) -> set[str]:
        found = set(python_files(self._folder))
        for pattern in self._patterns:
            found.update(map(os.path.abspath, glob.glob(pattern, recursive=True)))
        return found

    def add_extra_file(self, filename: str) -> None:
        """Watch one more file, from its present state on. It need not exist yet.

        The name of the method is that of Gunicorn's reloaders.
        """
        path = os.path.abspath(filename)
        self._known.setdefault(path, file_signature(path))

    def changed_file(self) -> str | None:
        """Take one look and return the path of a file that has changed, if any has.

        A file that disappeared counts from the second look on: many an editor saves a
        file by removing it for a moment.
        """
        for path in module_files():
            if path not in self._known:
                self._known[path] = file_signature(path)
        for path in self._expected_files():
            if path not in self._known:
                return path
        for path, before in list(self._known.items()):
            now = file_signature(path)
            if now == before:
                self._missing.discard(path)
            elif now is None and path not in self._missing:
                self._missing.add(path)
            else:
                return path
        return None

    def start(self) -> None:
        """Start watching. Doing it twice does no harm: Gunicorn starts it once more."""
        if self.ident is None:
            super().start()

    def stop(self) -> None:
        """Stop watching, soon and without waiting for it."""
        self._stopped.set()

    def run(self) -> None:
        """Look until a file has changed, then report it and end."""
        rest = self._interval
        while not self._stopped.wait(rest):
            began = time.monotonic()
            path = self.changed_file()
            if path is not None:
                self._changed(path)
                return
            spent = time.monotonic() - began
            rest = max(self._interval, REST_PER_WORK * spent)
