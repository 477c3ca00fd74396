"""The programs of this machine that the measurements use."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

from measurement import BenchError

# The packages of programs that are not named as they are.
PACKAGES = {"docker": "docker.io"}


def demand(programs: Iterable[str]) -> None:
    """Raises BenchError with the command that installs what is missing."""
    missing = {PACKAGES.get(name, name) for name in programs if not shutil.which(name)}
    if missing:
        raise BenchError(
            f"missing programs: apt-get install {' '.join(sorted(missing))}"
        )


def _completed(
    words: Sequence[str], cwd: Optional[Path], more: Optional[Mapping[str, str]]
) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise BenchError(f"{' '.join(words[:4])} …: {lines[-1]}")
    return done


def run(
    *words: str, cwd: Optional[Path] = None, more: Optional[Mapping[str, str]] = None
) -> str:
    """Run a command; returns its standard output. Raises BenchError where it fails.

    more: environment variables beside this process's.
    """
    return _completed(words, cwd, more).stdout


def messages(
    *words: str, cwd: Optional[Path] = None, more: Optional[Mapping[str, str]] = None
) -> str:
    """As `run`, but returns its standard error."""
    return _completed(words, cwd, more).stderr


def given(variable: str) -> Path:
    """The path that a variable of the environment names. Raises BenchError."""
    if variable not in os.environ:
        raise BenchError(f"no {variable} in the environment: ./mirror nix run .#bench")
    return Path(os.environ[variable])


class QuietHandler(SimpleHTTPRequestHandler):
    """Lists folders as pages of links, which is a simple index, and keeps quiet."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def served_index(folder: Path) -> Iterator[str]:
    """A simple index (PEP 503) of a folder of wheels on loopback; gives its URL."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
