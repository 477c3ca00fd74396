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

import machine
import store
from errors import MirrorError
from locked_file import LockedFile
from package_index import Index, local_path, reason

CONNECTIONS = 8
CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
CHUNK = 1 << 16

# How often one mirror is asked for one file, as long as each answer brings something.
ATTEMPTS = 5


def cache_folder(base: Mapping[str, str]) -> Path:
    """Where files are kept while they are on their way into the store.

    $XDG_CACHE_HOME (XDG Base Directory Specification) or ~/.cache.
    """
    root = base.get("XDG_CACHE_HOME") or os.path.join(
        base.get("HOME") or os.path.expanduser("~"), ".cache"
    )
    return Path(root) / "nix-mirror"


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a lock file, so that two runs do not write the same downloads (flock(2)).

    Yields whether another run held it before.
    """
    with open(path, "a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            waited = False
        except BlockingIOError:
            print("mirror: waiting for another ./mirror to fetch", file=sys.stderr)
            fcntl.flock(handle, fcntl.LOCK_EX)
            waited = True
        yield waited


class Fault(Exception):
    """One mirror could not give a file; another may."""


class Broken(Fault):
    """The connection broke, or a part does not fit: the same mirror is asked again."""


class Fetcher:
    """Fetches locked files into one folder, which no other may use meanwhile."""

    def __init__(
        self,
        folder: Path,
        base: Mapping[str, str],
        progress: Callable[[int], None] = lambda count: None,
    ) -> None:
        """folder: where files and parts lie; base: the environment.

        progress: is told of bytes as they come, and by a negative number of those that
        were thrown away.
        """
        self.folder = folder
        self.base = base
        self.progress = progress
        self.index = Index(base)
        self.threads = threading.local()
        self.sessions: list[Any] = []
        self.guard = threading.Lock()
        self.cancelled = False
        self._debian: Optional[tuple[tuple[str, ...], dict[str, str]]] = None
        self.pages: dict[str, tuple[dict[str, list[str]], list[str]]] = {}
        self.page_locks: dict[str, threading.Lock] = {}

    def session(self) -> Any:
        """This thread's HTTP session."""
        if not hasattr(self.threads, "session"):
            with self.guard:
                self.threads.session = self.index.session()
                self.sessions.append(self.threads.session)
        return self.threads.session

    def close(self) -> None:
        """Close all connections."""
        for session in self.sessions:
            session.close()

    def debian(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """apt's mirrors and proxies."""
        with self.guard:
            if self._debian is None:
                roots = machine.debian_mirrors(self.base)
                self._debian = roots, machine.apt_proxies()
            return self._debian

    def addresses(self, file: LockedFile) -> tuple[list[str], list[str]]:
        """The URLs at which the file may be, in the order to try them.

        Returns them, and one line for each index that could not be asked.
        """
        if file.kind != "pypi":
            return [root + quote(file.location) for root in self.debian()[0]], []
        with self.guard:
            lock = self.page_locks.setdefault(file.project, threading.Lock())
        with lock:
            if file.project not in self.pages:
                self.pages[file.project] = self.index.links(
                    file.project, self.session()
                )
        links, problems = self.pages[file.project]
        return links.get(file.location, []), problems

    def fetch(self, file: LockedFile) -> Path:
        """Bring one file; returns where it lies, named as the store names it.

        Raises MirrorError, one line with every mirror's answer, where none has it.
        """
        target = self.folder / file.sha256 / file.name
        source = target.with_name("package") if file.kind == "member" else target
        target.parent.mkdir(parents=True, exist_ok=True)
        if not source.exists() or digest(source) != file.sha256:
            self.bring(file, source)
        if file.kind == "member":
            part = target.with_name("member.part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(target, ignore_errors=True)
            try:
                store.extract_member(source, file.member, part)
                part.rename(target)
            finally:
                shutil.rmtree(part, ignore_errors=True)
        return target

    def bring(self, file: LockedFile, target: Path) -> None:
        """Try the mirrors in order until one serves the very file."""
        addresses, answers = self.addresses(file)
        answers = list(answers)
        self.progress(size_of(part_of(target)))
        if not addresses:
            answers.insert(0, f"no index lists it under {file.project}")
        for address in addresses:
            try:
                self.download(file, address, target)
                return
            except Fault as fault:
                answers.append(f"{urlsplit(address).hostname or address}: {fault}")
        variable = "MIRROR_PYPI" if file.kind == "pypi" else "MIRROR_DEBIAN"
        mend = "lock another" if file.kind == "pypi" else "pin anew: ./mirror lock"
        raise MirrorError(
            f"{file.location} (sha256 {file.sha256[:12]}…) is on no mirror"
            f" ({'; '.join(answers)}): name one that has it in {variable}, or {mend}"
        )

    def download(self, file: LockedFile, address: str, target: Path) -> None:
        """Bring the file from one address; a part of an earlier run is continued.

        Raises Fault where the mirror refuses, hangs, or serves something else; what it
        served is kept beside the target then, but never as the target.
        """
        part = part_of(target)
        continued = part.exists()
        attempts = ATTEMPTS
        while not (continued and digest(part) == file.sha256):
            attempts -= 1
            before = size_of(part)
            try:
                continued = self.read(file, address, part)
            except Broken as fault:
                if attempts and not self.cancelled and size_of(part) != before:
                    continued = part.exists()
                    continue
                raise Fault(str(fault)) from None
            found = digest(part)
            if found == file.sha256:
                break
            if continued and attempts:
                # The part may have come from elsewhere: from the start, then.
                self.discard(part)
                continued = False
                continue
            page = looks_like_html(part)
            aside = target.with_name(f"refused-{found[:12]}")
            self.progress(-size_of(part))
            part.rename(aside)
            raise Fault(
                f"serves {'an HTML page' if page else 'another file'}"
                f" (sha256 {found[:12]}…, kept as {aside})"
            )
        part.rename(target)

    def discard(self, part: Path) -> None:
        """Throw away a part."""
        self.progress(-size_of(part))
        part.unlink(missing_ok=True)

    def read(self, file: LockedFile, address: str, part: Path) -> bool:
        """Read what lies at the address into `part`, from where that ends.

        Returns whether a part was there that was continued. Raises Fault.
        """
        path = local_path(address)
        if path is None:
            return self.stream(file, address, part)
        self.discard(part)
        try:
            shutil.copyfile(path, part)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise Fault(reason(error)) from None
        self.progress(size_of(part))
        return False

    def stream(self, file: LockedFile, address: str, part: Path) -> bool:
        """Read an HTTP answer into `part`, from where it ends (RFC 9110, "Range").

        Returns whether the server continued a part. Raises Fault.
        """
        from pip._vendor.requests.exceptions import RequestException
        from pip._vendor.urllib3.exceptions import HTTPError

        have = size_of(part)
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        proxies = self.debian()[1] if file.kind != "pypi" else {}
        try:
            with self.session().get(
                address,
                headers=headers,
                stream=True,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                proxies=proxies or None,
            ) as answer:
                continued: bool = answer.status_code == 206
                span = answer.headers.get("Content-Range", "")
                if answer.status_code == 416 or (
                    continued and not span.startswith(f"bytes {have}-")
                ):
                    self.discard(part)
                    raise Broken("does not continue the part that is there")
                if answer.status_code not in (200, 206):
                    raise Fault(f"HTTP {answer.status_code}")
                if not continued:
                    self.discard(part)
                expected = answer.headers.get("Content-Length", "")
                came = 0
                with open(part, "ab") as out:
                    for chunk in answer.raw.stream(CHUNK, decode_content=False):
                        out.write(chunk)
                        came += len(chunk)
                        self.progress(len(chunk))
                        if self.cancelled:
                            raise Fault("interrupted")
                        if file.size is not None and out.tell() > file.size:
                            self.discard(part)
                            raise Fault(f"serves more than {file.size} bytes")
                if expected.isdigit() and came < int(expected):
                    raise Broken(f"ended after {came} of {expected} bytes")
                return continued
        except (RequestException, HTTPError, OSError) as error:
            raise Broken(reason(error)) from None


def part_of(target: Path) -> Path:
    """Where a file lies while it is incomplete."""
    return target.with_name(target.name + ".part")


def size_of(path: Path) -> int:
    """The size of a file in bytes, 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def looks_like_html(path: Path) -> bool:
    """Whether a file begins as an HTML page does, such as a proxy's for a login."""
    with open(path, "rb") as handle:
        start = handle.read(256).lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html"))


def digest(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    value = hashlib.sha256()
    with open(path, "rb") as handle:
        for chunk in iter(lambda: handle.read(1 << 20), b""):
            value.update(chunk)
    return value.hexdigest()


@contextlib.contextmanager
def progress_bar(
    files: Sequence[LockedFile],
) -> Iterator[tuple[Callable[[int], None], Callable[[], None]]]:
    """A progress bar on standard error; without a terminal, one plain line.

    Yields two functions: one takes the number of bytes that came, one is called for
    each file that is done.
    """
    total: Optional[int] = sum(file.size or 0 for file in files)
    if any(file.size is None for file in files):
        total = None
    size = f", {total / 1e6:.1f} MB" if total else ""
    what = f"fetching {len(files)} file{'s' if len(files) != 1 else ''}{size}"
    rich: Any = None
    if sys.stderr.isatty():
        machine.import_pip()
        with contextlib.suppress(ImportError):
            from pip._vendor import rich
            from pip._vendor.rich import console, progress  # noqa: F401
    if rich is None:
        print(f"mirror: {what}", file=sys.stderr)
        yield (lambda count: None), (lambda: None)
        return
    bars = rich.progress
    with bars.Progress(
        bars.TextColumn("mirror: {task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TextColumn("{task.fields[done]}/{task.fields[files]} files"),
        console=rich.console.Console(stderr=True),
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

    files: what a dry run of Nix names as unbuilt.
    environment: in which `nix-store` runs. Files that arrived before another one failed
    are kept in the store, so that the next run does not fetch them again.
    Raises MirrorError with the first failure.
    """
    missing = list(
        {(file.kind, file.name, file.sha256): file for file in files}.values()
    )
    if not missing:
        return []
    folder = cache_folder(environment)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock") as waited:
        if waited:
            missing = store.lacking(missing, environment)
        if missing:
            fetch_into(folder, missing, environment)
    return missing


def fetch_into(
    folder: Path, missing: Sequence[LockedFile], environment: Mapping[str, str]
) -> None:
    """Bring files through a folder into the store; see fetch_all.

    What has arrived in the store is gone from the folder afterwards.
    """
    failure: Optional[Exception] = None
    arrived: list[tuple[LockedFile, Path]] = []
    with progress_bar(missing) as (progress, one_more):
        fetcher = Fetcher(folder, environment, progress)
        pool = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
        try:
            largest_first = sorted(missing, key=lambda file: -(file.size or 0))
            jobs = {pool.submit(fetcher.fetch, file): file for file in largest_first}
            for job in concurrent.futures.as_completed(jobs):
                try:
                    arrived.append((jobs[job], job.result()))
                    one_more()
                except Exception as error:
                    failure = failure or error
        finally:
            fetcher.cancelled = True
            pool.shutdown(wait=False, cancel_futures=True)
            fetcher.close()
    store.add(arrived, environment)
    for _, path in arrived:
        shutil.rmtree(path.parent, ignore_errors=True)
    for file in missing:
        with contextlib.suppress(OSError):
            (folder / file.sha256).rmdir()
    if failure is not None:
        raise failure
