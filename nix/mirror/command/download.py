"""Brings locked files from the mirrors, several at once, verified by hash."""

from __future__ import annotations

import concurrent.futures
import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import quote, urlsplit
from urllib.request import url2pathname

import machine
import store
from errors import MirrorError
from locked_file import LockedFile

CONNECTIONS = 8
CONNECT_SECONDS = 10
READ_SECONDS = 60
CHUNK = 1 << 16


def cache_folder(base: Mapping[str, str]) -> Path:
    """Where files are kept while they are on their way into the store.

    $XDG_CACHE_HOME (XDG Base Directory Specification) or ~/.cache.
    """
    root = base.get("XDG_CACHE_HOME") or os.path.join(
        base.get("HOME") or os.path.expanduser("~"), ".cache"
    )
    return Path(root) / "nix-mirror"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs do not write the same download."""
    with open(path, "a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


class Fault(Exception):
    """One mirror could not give a file; another may."""


class Fetcher:
    """Fetches locked files into one folder."""

    def __init__(
        self,
        folder: Path,
        base: Mapping[str, str],
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        """folder: where files and parts lie; progress: is told of bytes as they come."""
        self.folder = folder
        self.progress = progress
        self.index = machine.Index(base)
        self.proxies = machine.apt_proxies()
        self.threads = threading.local()
        self.pages: dict[str, dict[str, str]] = {}
        self.page_locks: dict[str, threading.Lock] = {}
        self.guard = threading.Lock()

    def session(self) -> Any:
        """This thread's HTTP session."""
        if not hasattr(self.threads, "session"):
            self.threads.session = self.index.session()
        return self.threads.session

    def addresses(self, file: LockedFile) -> Iterator[str]:
        """The URLs at which the file may be, in the order to try them."""
        if file.kind == "pypi":
            with self.guard:
                lock = self.page_locks.setdefault(file.project, threading.Lock())
            with lock:
                if file.project not in self.pages:
                    self.pages[file.project] = self.index.links(
                        file.project, self.session()
                    )
            links = self.pages[file.project]
            if file.location in links:
                yield links[file.location]
            return
        for root in machine.debian_mirrors():
            yield root + quote(file.location)

    def fetch(self, file: LockedFile) -> Path:
        """Bring one file; returns where it lies, named as the store names it.

        Raises MirrorError, one line with every mirror's answer, where none has it.
        """
        target = self.folder / file.sha256 / file.name
        source = target.with_name("package") if file.kind == "member" else target
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.folder / f"{file.sha256}.lock"):
            if not source.exists() or digest(source) != file.sha256:
                self.bring(file, source)
            if file.kind == "member" and not target.exists():
                part = target.with_name("member.part")
                shutil.rmtree(part, ignore_errors=True)
                store.extract_member(source, file.member, part)
                part.rename(target)
        return target

    def bring(self, file: LockedFile, target: Path) -> None:
        """Try the mirrors in order until one serves the very file."""
        answers = []
        for address in self.addresses(file):
            try:
                self.download(file, address, target)
                return
            except Fault as fault:
                answers.append(f"{urlsplit(address).hostname or address}: {fault}")
        told = "; ".join(answers) or f"no index lists it under {file.project}"
        raise MirrorError(
            f"{file.location} (sha256 {file.sha256[:12]}…) is on no mirror ({told});"
            " give one that has it in MIRROR_DEBIAN or MIRROR_PYPI, or pin anew:"
            " ./mirror lock"
        )

    def download(self, file: LockedFile, address: str, target: Path) -> None:
        """Bring the file from one address; a part of an earlier run is continued.

        Raises Fault where the mirror refuses, hangs, or serves something else.
        """
        part = target.with_name(target.name + ".part")
        if urlsplit(address).scheme == "file":
            try:
                part.write_bytes(Path(url2pathname(urlsplit(address).path)).read_bytes())
            except OSError as error:
                raise Fault(error.strerror or "unreadable") from None
        else:
            self.stream(file, address, part)
        found = digest(part)
        if found != file.sha256:
            aside = target.with_name(f"refused-{found[:12]}")
            part.rename(aside)
            raise Fault(f"served sha256 {found[:12]}…, kept as {aside}")
        part.rename(target)

    def stream(self, file: LockedFile, address: str, part: Path) -> None:
        """Read an HTTP answer into `part`, from where it ends (RFC 9110, "Range")."""
        from pip._vendor import requests

        have = part.stat().st_size if part.exists() else 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        try:
            with self.session().get(
                address,
                headers=headers,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                proxies=self.proxies if file.kind != "pypi" else None,
            ) as answer:
                if answer.status_code == 416:
                    part.unlink()
                    raise Fault("the part of an earlier run did not fit")
                if answer.status_code not in (200, 206):
                    raise Fault(f"HTTP {answer.status_code}")
                mode = "ab" if answer.status_code == 206 else "wb"
                if mode == "ab":
                    self.progress(have)
                with open(part, mode) as out:
                    for chunk in answer.raw.stream(CHUNK, decode_content=False):
                        out.write(chunk)
                        self.progress(len(chunk))
        except requests.RequestException as error:
            raise Fault(type(error).__name__) from None
        except OSError as error:
            raise Fault(str(error)) from None


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    value = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            value.update(chunk)
    return value.hexdigest()


@contextlib.contextmanager
def progress_bar(files: Sequence[LockedFile]) -> Iterator[Any]:
    """A progress bar on standard error; without a terminal, two plain lines.

    Yields two functions: one takes bytes that came, one a file that is done.
    """
    total: Optional[int] = sum(file.size or 0 for file in files) or None
    if any(file.size is None for file in files):
        total = None
    size = f", {total / 1e6:.1f} MB" if total else ""
    what = f"fetching {len(files)} file{'s' if len(files) != 1 else ''}{size}"
    if not sys.stderr.isatty():
        print(f"mirror: {what}", file=sys.stderr)
        yield (lambda count: None), (lambda: None)
        return
    from pip._vendor.rich import progress
    from pip._vendor.rich.console import Console

    with progress.Progress(
        progress.TextColumn("mirror: {task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
        progress.TextColumn("{task.fields[done]}/{task.fields[files]} files"),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(what, total=total, done=0, files=len(files))
        done = [0]

        def one_more() -> None:
            done[0] += 1
            bar.update(task, done=done[0])

        yield (lambda count: bar.advance(task, count)), one_more


def fetch_all(
    files: Sequence[LockedFile], environment: Mapping[str, str]
) -> list[LockedFile]:
    """Bring files that the store lacks into it; returns those that were brought.

    files: what a dry run of Nix names as unbuilt; a path that merely lies in the store's
    folder, as a failed build leaves it, does not count as there.

    environment: in which `nix-store` runs. Files that arrived before another one failed
    are kept in the store, so that the next run does not fetch them again.
    Raises MirrorError with the first failure.
    """
    missing = list(files)
    if not missing:
        return []
    folder = cache_folder(environment)
    folder.mkdir(parents=True, exist_ok=True)
    failure: Optional[BaseException] = None
    arrived: list[tuple[LockedFile, Path]] = []
    with progress_bar(missing) as (progress, one_more):
        fetcher = Fetcher(folder, environment, progress)
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            largest_first = sorted(missing, key=lambda file: -(file.size or 0))
            jobs = {pool.submit(fetcher.fetch, file): file for file in largest_first}
            for job in concurrent.futures.as_completed(jobs):
                try:
                    arrived.append((jobs[job], job.result()))
                    one_more()
                except BaseException as error:
                    failure = failure or error
    store.add(arrived, environment)
    for file, path in arrived:
        shutil.rmtree(path.parent, ignore_errors=True)
    if failure is not None:
        raise failure
    return [file for file, _ in arrived]
