"""The programs of this machine that the measurements use."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional

from measurement import BenchError

# What apt-get installs for a program that is not there.
PACKAGES = {
    "debootstrap": "debootstrap",
    "docker": "docker.io",
    "git": "git",
    "gzip": "gzip",
    "tar": "tar",
    "wrk": "wrk",
    "zstd": "zstd",
}


def demand(programs: Mapping[str, str]) -> None:
    """Raises BenchError with the command that installs what is missing.

    programs: of each program the package that has it.
    """
    missing = sorted(
        package for program, package in programs.items() if not shutil.which(program)
    )
    if missing:
        raise BenchError(f"missing programs: apt-get install {' '.join(missing)}")


def run(
    *words: str, cwd: Optional[Path] = None, more: Optional[Mapping[str, str]] = None
) -> str:
    """Run a command; returns its standard output. Raises BenchError where it fails.

    more: environment variables beside this process's.
    """
    done = subprocess.run(
        words,
        cwd=cwd,
        env={**os.environ, **(more or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise BenchError(f"{' '.join(words[:4])} …: {lines[-1]}")
    return done.stdout


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
