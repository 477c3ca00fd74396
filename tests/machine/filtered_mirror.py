"""A mirror on loopback that passes on what apt's mirrors have, but for chosen faults.

What it passes on is Debian's own, so that the signatures of its indexes are valid.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Optional
from urllib.parse import quote, unquote


def upstream_roots() -> dict[str, str]:
    """Return the root of each archive that apt is configured with, by the archive's name.

    Such as "debian" and "debian-security", the last folders of the URLs.
    """
    words = ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    roots: dict[str, str] = {}
    for root in done.stdout.split():
        if root.startswith(("http://", "https://")):
            roots.setdefault(
                root.rstrip("/").rpartition("/")[2], root.rstrip("/") + "/"
            )
    return roots


@dataclass
class Faults:
    """What is wrong with a mirror.

    Paths are such as "/debian/dists/trixie/InRelease", without percent-encoding.

    missing: patterns of paths that are answered with 404, as re.fullmatch takes them;
    present: patterns of those that are passed on all the same; altered: what stands in
    a path's place, by pattern.
    """

    missing: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    altered: dict[str, bytes] = field(default_factory=dict)

    def is_missing(self, path: str) -> bool:
        """Say whether a path is answered with 404."""
        return matches(self.missing, path) and not matches(self.present, path)

    def substitute(self, path: str) -> Optional[bytes]:
        """Return what stands in a path's place; None where it is passed on."""
        for pattern, content in self.altered.items():
            if re.fullmatch(pattern, path):
                return content
        return None


def matches(patterns: list[str], path: str) -> bool:
    """Say whether one of the patterns is that of a path."""
    return any(re.fullmatch(pattern, path) for pattern in patterns)


def indexes_of(suite: str) -> list[str]:
    """Return the patterns of all indexes of a release, for Faults.missing."""
    return [rf"/[^/]+/dists/{suite}(-[a-z]+)?/.*"]


class Request(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: FilteredMirror

    def do_GET(self) -> None:
        """Answer with what the upstream mirror has, or with a fault."""
        path = unquote(self.path.partition("?")[0])
        content = None
        if not self.server.faults.is_missing(path):
            content = self.server.faults.substitute(path)
            if content is None:
                content = self.server.upstream(path)
        status = 404 if content is None else 200
        self.server.answered.append((path, status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing."""


class FilteredMirror(ThreadingHTTPServer):
    """An HTTP server on a free port of 127.0.0.1; its roots are /debian/ and the like.

    answered: what was asked for, as (path, status).
    """

    def __init__(
        self,
        cache: Path,
        faults: Optional[Faults] = None,
        port: int = 0,
        roots: Optional[Mapping[str, str]] = None,
    ) -> None:
        """cache: a folder for what comes from upstream; roots: see upstream_roots."""
        super().__init__(("127.0.0.1", port), Request)
        self.cache = cache
        self.faults = faults or Faults()
        self.roots = upstream_roots() if roots is None else roots
        self.answered: list[tuple[str, int]] = []
        self.locks: dict[str, threading.Lock] = {}
        self.guard = threading.Lock()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    def root(self, archive: str = "debian") -> str:
        """Return the root of one of its archives."""
        return f"http://127.0.0.1:{self.server_address[1]}/{archive}/"

    def __enter__(self) -> FilteredMirror:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing of clients that hung up."""

    def upstream(self, path: str) -> Optional[bytes]:
        """Return what the upstream mirror has at a path; None where it has nothing.

        It is asked once: then content and absence come from the cache.
        """
        archive, _, rest = path.lstrip("/").partition("/")
        if archive not in self.roots or not rest or ".." in rest:
            return None
        kept = self.cache / hashlib.sha256(path.encode()).hexdigest()
        with self.guard:
            lock = self.locks.setdefault(path, threading.Lock())
        with lock:
            if not kept.exists():
                self.cache.mkdir(parents=True, exist_ok=True)
                part = kept.with_name(f"{kept.name}.{os.getpid()}.part")
                self.ask(self.roots[archive] + quote(rest), part)
                part.rename(kept)
            content = kept.read_bytes()
        return content or None

    def ask(self, url: str, path: Path) -> None:
        """Write what is at a URL to a path; nothing where the server says so.

        apt brings it, with its proxies and credentials.
        """
        path.touch()
        words = ["-oAPT::Sandbox::User=root", "download-file", url, str(path)]
        done = subprocess.run(
            ["/usr/lib/apt/apt-helper", *words],
            env={**os.environ, "LC_ALL": "C"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode != 0 and "  404  Not Found" not in done.stderr:
            raise OSError(done.stderr)
