"""How far fetching is, on standard error."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, Optional

import machine
from errors import MirrorError
from locked_file import LockedFile


class Progress:
    """Is told how fetching goes, from several threads; says nothing itself."""

    def came(self, count: int) -> None:
        """So many bytes came; a negative number of them was thrown away."""

    def expects(self, count: int) -> None:
        """So many bytes are to come that the locks did not tell."""

    def file_done(self) -> None:
        """One file is there."""


class Bar(Progress):
    """A progress bar of rich's."""

    def __init__(self, bar: Any, task: Any, total: int) -> None:
        """bar: rich's; task: its only one; total: the bytes that are known to come."""
        self.bar, self.task, self.total = bar, task, total
        self.done = 0
        self.guard = threading.Lock()

    def came(self, count: int) -> None:
        """See Progress."""
        self.bar.advance(self.task, count)

    def expects(self, count: int) -> None:
        """See Progress."""
        with self.guard:
            self.total += count
            self.bar.update(self.task, total=self.total)

    def file_done(self) -> None:
        """See Progress."""
        with self.guard:
            self.done += 1
            self.bar.update(self.task, done=self.done)


def description(files: Sequence[LockedFile]) -> str:
    """What is going to be fetched, with the sum of the sizes where all are known.

    >>> description([LockedFile("debian", "a", "", "", size=1500000)])
    'fetching 1 file, 1.5 MB'
    """
    sizes = [file.size for file in files]
    total = sum(size or 0 for size in sizes)
    size = f", {total / 1e6:.1f} MB" if total and None not in sizes else ""
    return f"fetching {len(files)} file{'s' if len(files) != 1 else ''}{size}"


@contextlib.contextmanager
def shown(files: Sequence[LockedFile]) -> Iterator[Progress]:
    """A progress bar on standard error; without a terminal, one plain line.

    The bar is rich's, as pip brings it; an older pip does not, and gets the line.
    """
    rich: Any = None
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError, MirrorError):
            machine.import_pip()
            from pip._vendor import rich
            from pip._vendor.rich import console, progress  # noqa: F401
    if rich is None:
        print(f"mirror: {description(files)}", file=sys.stderr)
        yield Progress()
        return
    bars = rich.progress
    known: Optional[int] = sum(file.size or 0 for file in files)
    with bars.Progress(
        bars.TextColumn("mirror: {task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TextColumn("{task.fields[done]}/{task.fields[files]} files"),
        console=rich.console.Console(stderr=True),
    ) as bar:
        task = bar.add_task(
            description(files), total=known or None, done=0, files=len(files)
        )
        yield Bar(bar, task, known or 0)
