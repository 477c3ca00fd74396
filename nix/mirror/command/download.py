"""Brings locked files from the mirrors, several at once, verified by hash."""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Optional
from urllib.parse import quote

import local_file
import progress
import store
import transport
from address import shown
from apt_configuration import AptConfiguration
from debian_roots import Roots, debian_roots
from errors import AbsentFile, AbsentFiles, MirrorError, one_line
from locked_file import LockedFile
from package_index import Index, local_path
from places import cache_folder
from progress import Progress
from transport import Fault, Head, Transport

CONNECTIONS = 8

# How often one mirror is asked for one file in a row, as long as each answer brings
# something.
ATTEMPTS = 5

# The most that a file whose size no lock tells may have, bytes.
LARGEST = 1 << 33

# The most that something else than the pinned file may have to be kept, bytes.
KEPT_BYTES = 1 << 26

# Seconds between two looks at what is waited for: a signal that comes while Python is about
# to wait for a lock is heeded only once the lock is there.
WAKE_SECONDS = 0.2

# Days after which what lies unused in the cache is removed.
DAYS = 14


class LocalFault(MirrorError):
    """This machine cannot take files; no other mirror would be of use."""


def cannot_write(folder: Path, error: OSError) -> LocalFault:
    """The error where files cannot be written into the cache."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        mend = "free some space there, or set XDG_CACHE_HOME to a folder elsewhere"
    else:
        mend = "set XDG_CACHE_HOME to a folder that you may write to"
    return LocalFault(f"{folder} cannot be written ({error.strerror}): {mend}")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Hold a lock file, so that two runs do not write the same downloads (flock(2)).

    Yields whether another run held it before. Raises OSError where it cannot be had.
    """
    with open(path, "a") as handle:
        waited = not taken(handle)
        if waited:
            print("mirror: waiting for another ./mirror to fetch", file=sys.stderr)
            while not taken(handle):
                time.sleep(WAKE_SECONDS)
        yield waited


def taken(handle: IO[str]) -> bool:
    """Take the lock on a file, unless another process holds it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Part:
    """A file that is incomplete, beside its place; bytes are added to its end."""

    def __init__(self, target: Path, progress: Progress) -> None:
        """target: where the file is to lie at last."""
        self.path = target.with_name(target.name + ".part")
        self.progress = progress
        self.handle: Optional[IO[bytes]] = None
        self.expected = 0

    def size(self) -> int:
        """In bytes; 0 where there is none."""
        return self.path.stat().st_size if self.path.exists() else 0

    def write(self, chunk: bytes) -> None:
        """Add to it. Raises LocalFault, and throws it away, where there is no room."""
        try:
            if self.handle is None:
                self.handle = open(self.path, "ab", buffering=0)
            self.handle.write(chunk)
        except OSError as error:
            self.discard()
            raise cannot_write(self.path.parent.parent, error) from None
        self.progress.came(len(chunk))

    def close(self) -> None:
        """Until more is written."""
        if self.handle is not None:
            self.handle.close()
            self.handle = None

    def discard(self) -> None:
        """Throw it away."""
        self.close()
        self.progress.came(-self.size())
        self.path.unlink(missing_ok=True)

    def expect(self, size: int) -> None:
        """Tell the progress how large it is going to be, where no lock did."""
        if not self.expected:
            self.expected = size
            self.progress.expects(size)


class Fetcher:
    """Fetches locked files into one folder, which no other may use meanwhile."""

    def __init__(
        self,
        folder: Path,
        base: Mapping[str, str],
        progress: Optional[Progress] = None,
    ) -> None:
        """folder: where files and parts lie; base: the environment."""
        self.folder = folder
        self.base = base
        self.progress = progress or Progress()
        self.transport = Transport(lambda: self.index.session())
        self.notes: list[str] = []
        self.guard = threading.Lock()
        self._index: Optional[Index] = None
        self._debian: Optional[tuple[Roots, AptConfiguration]] = None
        self.pages: dict[str, tuple[dict[str, list[str]], list[str]]] = {}
        self.page_locks: dict[str, threading.Lock] = {}

    def close(self) -> None:
        """Close all connections; what is being fetched stays incomplete."""
        self.transport.close()

    @property
    def index(self) -> Index:
        """pip's indexes; read when the first one is asked, as there may be no pip."""
        with self.guard:
            if self._index is None:
                self._index = Index(self.base)
            return self._index

    def debian(self) -> tuple[Roots, AptConfiguration]:
        """The Debian mirrors, and what apt uses for them."""
        trusted = self.index.certificates()
        with self.guard:
            if self._debian is None:
                roots = debian_roots(self.base)
                self._debian = roots, AptConfiguration(self.base, trusted)
            return self._debian

    def addresses(self, file: LockedFile) -> tuple[list[str], list[str]]:
        """The URLs at which the file may be, in the order to try them.

        Returns them, and one line for each index that could not be asked.
        """
        if file.kind != "pypi":
            roots = self.debian()[0].configured
            return [root + quote(file.location) for root in roots], []
        with self.guard:
            lock = self.page_locks.setdefault(file.project, threading.Lock())
        with lock:
            if file.project not in self.pages:
                self.pages[file.project] = self.index.links(
                    file.project, self.transport
                )
        links, problems = self.pages[file.project]
        return links.get(file.location, []), problems

    def fetch(self, file: LockedFile) -> Path:
        """Bring one file; returns where it lies, named as the store names it.

        Raises MirrorError, one line with every mirror's answer, where none has it, and
        LocalFault where the folder cannot be written.
        """
        try:
            return self._fetch(file)
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def _fetch(self, file: LockedFile) -> Path:
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
        """Try the mirrors in order until one serves the very file.

        Those that may answer otherwise in a while are asked again, once all were asked.
        """
        faults: dict[str, Fault] = {}
        part = Part(target, self.progress)
        self.progress.came(part.size())
        if self.try_each(file, self.archived(file), part, target, faults):
            return
        waiting, problems = self.addresses(file)
        turn = 0
        while waiting and turn < transport.TURNS:
            if turn:
                pause = max(faults[address].again or 0.0 for address in waiting) * turn
                if self.transport.cancelled.wait(pause):
                    break
            turn += 1
            if self.try_each(file, waiting, part, target, faults):
                return
            waiting = [one for one in waiting if faults[one].again is not None]
        siblings: dict[str, Fault] = {}
        if self.try_each(file, self.sibling_addresses(file), part, target, siblings):
            return
        others = {place: fault for place, fault in siblings.items() if fault.other}
        error = self.nowhere(file, {**faults, **others}, problems)
        answers = {**faults, **siblings}
        if file.kind == "pypi" or any(fault.other for fault in answers.values()):
            raise error
        archives = set(self.archived(file))
        if not any(faults[one].missing for one in faults if one not in archives):
            raise error
        raise AbsentFile(str(error), file, answers)

    def try_each(
        self,
        file: LockedFile,
        addresses: Sequence[str],
        part: Part,
        target: Path,
        faults: dict[str, Fault],
    ) -> bool:
        """Bring a file from the first address that has it; returns whether one did.

        faults: is given what the others answered.
        """
        for address in addresses:
            try:
                self.download(file, address, part)
                part.path.rename(target)
                return True
            except Fault as fault:
                faults[address] = fault
            finally:
                part.close()
        return False

    def archived(self, file: LockedFile) -> list[str]:
        """Return where a file lies in the archives that MIRROR_FILES names."""
        found = []
        for root in self.base.get("MIRROR_FILES", "").split():
            if not re.match(r"[a-z][a-z0-9+.-]+:", root):
                root = Path(os.path.abspath(root)).as_uri()
            found.append(f"{root.rstrip('/')}/sha256/{file.sha256}")
        return found

    def sibling_addresses(self, file: LockedFile) -> list[str]:
        """Return where a file may be that no configured mirror has; see Roots."""
        if file.kind == "pypi":
            return []
        roots = self.debian()[0].derived_at(file.snapshot)
        return [root + quote(file.location) for root in roots]

    def nowhere(
        self, file: LockedFile, faults: Mapping[str, Fault], problems: Sequence[str]
    ) -> MirrorError:
        """The error where no mirror gave a file."""
        answers = [f"{shown(address)}: {fault}" for address, fault in faults.items()]
        if set(faults) <= set(self.archived(file)):
            asked = dict.fromkeys(map(shown, self.index.sources(file.project)))
            answers.append(
                f"{', '.join(asked) or 'no index is configured: none'} does not list it"
            )
        answers += problems
        python = file.kind == "pypi"
        variable = "MIRROR_PYPI" if python else "MIRROR_DEBIAN"
        gone = not problems and all(fault.missing for fault in faults.values())
        if python:
            pin = "poetry lock, or ./mirror lock wheels for a tool's"
        else:
            pin = "./mirror lock"
        mend = f"name one that has it in {variable}, or pin another: {pin}"
        if not gone:
            mend = f"fix that, or {mend}"
            if not python and self.debian()[1].unreadable:
                files = " ".join(self.debian()[1].unreadable)
                mend = f"{files} cannot be read, run this as root; {mend}"
        return MirrorError(
            f"{file.location} (sha256 {file.sha256}) is on no mirror"
            f" ({'; '.join(answers)}): {mend}"
        )

    def download(self, file: LockedFile, address: str, part: Part) -> None:
        """Bring the file from one address; a part of an earlier run is continued.

        Raises Fault where the mirror refuses, hangs, or serves something else; what it
        served is kept for inspection then, but never as the file.
        """
        continued = part.size() > 0
        attempts = ATTEMPTS
        while not (continued and digest(part.path) == file.sha256):
            attempts -= 1
            before = part.size()
            try:
                continued = self.read(file, address, part)
            except Fault as fault:
                part.close()
                came = part.size() != before
                if fault.again is not None and attempts and came:
                    if not self.transport.cancelled.is_set():
                        continued = part.size() > 0
                        continue
                raise
            part.close()
            found = digest(part.path) if part.path.exists() else digest_of_nothing()
            if found == file.sha256:
                break
            if continued and attempts:
                # The part may have come from elsewhere: from the start, then.
                part.discard()
                continued = False
                continue
            raise self.put_aside(file, address, part, found)
        part.path.touch()

    def put_aside(
        self, file: LockedFile, address: str, part: Part, found: str
    ) -> Fault:
        """Keep what a mirror served instead of the file; returns the fault to raise."""
        what = "another file"
        size = part.size()
        if size == 0:
            what = "an empty file"
        elif looks_like_html(part.path):
            what = "an HTML page"
        elif file.size is not None and size != file.size:
            what = f"another file of {size}, not {file.size}, bytes"
        kept = ""
        if size > KEPT_BYTES:
            part.discard()
        else:
            folder = self.folder / "refused"
            folder.mkdir(exist_ok=True)
            aside = folder / f"{file.name}-{found[:12]}"
            self.progress.came(-size)
            part.path.touch()
            part.path.rename(aside)
            kept = f", kept as {aside}"
        told = f"serves {what} (sha256 {found}{kept})"
        with self.guard:
            self.notes.append(f"{shown(address)} {told} for {file.location}")
        return Fault(told, other=True)

    def read(self, file: LockedFile, address: str, part: Part) -> bool:
        """Read what lies at the address into a part, from where that ends.

        Returns whether there was something that was continued. Raises Fault.
        """
        path = local_path(address)
        if path is None:
            return self.stream(file, address, part)
        part.discard()
        try:
            for chunk in local_file.chunks(path, most_bytes(file)):
                part.write(chunk)
        except Fault:
            part.discard()
            raise
        return False

    def stream(self, file: LockedFile, address: str, part: Part) -> bool:
        """Read an HTTP answer into a part, from where it ends (RFC 9110, "Range").

        Returns whether the server continued a part. Raises Fault.
        """
        have = part.size()
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
        most = most_bytes(file)
        heads: list[Head] = []

        def begin(head: Head) -> None:
            heads.append(head)
            if head.status == 416 or (head.status == 206 and not fits(head, have)):
                part.discard()
                raise Fault("does not continue the part that is there", again=0.0)
            transport.refuse(head)
            if head.status == 200:
                part.discard()
            if file.size is None:
                part.expect(part.size() + (announced(head) or 0))

        def take(chunk: bytes) -> None:
            part.write(chunk)
            if part.size() > most:
                part.discard()
                raise Fault(f"serves more than {most} bytes", other=True)

        settings: dict[str, Any] = {"patience": self.index.patience()}
        if file.kind != "pypi" and address not in self.archived(file):
            apt = self.debian()[1]
            settings = {"patience": apt.patience(), "settings": apt.request_settings}
        self.transport.get(address, begin, take, headers, **settings)
        continued = heads[0].status == 206
        came = part.size() - (have if continued else 0)
        length = announced(heads[0])
        if length is None and file.size is not None and part.size() < file.size:
            if part.size() and not looks_like_html(part.path):
                length = file.size - (have if continued else 0)
        if length is not None and came < length:
            raise Fault(
                f"ended after {came} of {length} bytes", again=transport.PAUSE_SECONDS
            )
        return continued


def most_bytes(file: LockedFile) -> int:
    """The most that a file may have, in bytes."""
    return LARGEST if file.size is None else file.size


def announced(head: Head) -> Optional[int]:
    """The number of bytes that an answer says it has (RFC 9110, "Content-Length")."""
    text = head.headers.get("Content-Length", "")
    return int(text) if re.fullmatch("[0-9]{1,18}", text) else None


def parse_content_range(text: str) -> Optional[tuple[int, int, Optional[int]]]:
    """The first byte, the last one, and the size of the whole if it is told.

    None for what is no range of bytes (RFC 9110, "Content-Range").

    >>> parse_content_range("bytes 5-9/10"), parse_content_range("bytes */10")
    ((5, 9, 10), None)
    """
    number = "([0-9]{1,18})"
    found = re.fullmatch(rf"bytes {number}-{number}/(?:{number}|\*)", text.strip())
    if not found:
        return None
    first, last = int(found[1]), int(found[2])
    size = int(found[3]) if found[3] else None
    if first > last or (size is not None and last >= size):
        return None
    return first, last, size


def fits(head: Head, have: int) -> bool:
    """Whether a part of `have` bytes is continued to its end by an answer 206."""
    span = parse_content_range(head.headers.get("Content-Range", ""))
    if not have or span is None:
        return False
    first, last, size = span
    length = announced(head)
    return (
        first == have
        and (size is None or last + 1 == size)
        and (length is None or length == last + 1 - first)
    )


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


def digest_of_nothing() -> str:
    """The SHA-256 of no bytes."""
    return hashlib.sha256().hexdigest()


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock") as waited:
            if waited:
                missing = store.lacking(missing, environment)
            if missing:
                check_room(folder, missing)
                fetch_into(folder, missing, environment)
            remove_old(folder)
    except OSError as error:
        raise cannot_write(folder, error) from None
    return missing


def check_room(folder: Path, files: Sequence[LockedFile]) -> None:
    """Raise LocalFault where files of these sizes do not fit into a folder."""
    there = [path.stat().st_size for path in folder.glob("*/*") if path.is_file()]
    needed = sum(file.size or 0 for file in files) - sum(there)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LocalFault(
            f"{folder} has room for {free / 1e6:.0f} MB, and {needed / 1e6:.0f} MB are to"
            " be fetched: free some, or set XDG_CACHE_HOME to a folder elsewhere"
        )


def remove_old(folder: Path) -> None:
    """Remove what nobody used for DAYS: parts, and what was kept for inspection."""
    for path in folder.glob("*/*"):
        with contextlib.suppress(OSError):
            if time.time() - path.lstat().st_mtime > DAYS * 86400:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                path.parent.rmdir()


def fetch_into(
    folder: Path, missing: Sequence[LockedFile], environment: Mapping[str, str]
) -> None:
    """Bring files through a folder into the store; see fetch_all.

    What has arrived in the store is gone from the folder afterwards.
    """
    failures: list[Exception] = []
    arrived: list[tuple[LockedFile, Path]] = []
    with progress.shown(missing) as telling:
        fetcher = Fetcher(folder, environment, telling)
        pool = concurrent.futures.ThreadPoolExecutor(CONNECTIONS)
        try:
            largest_first = sorted(missing, key=lambda file: -(file.size or 0))
            jobs = {pool.submit(fetcher.fetch, file): file for file in largest_first}
            waiting = set(jobs)
            while waiting and not any(isinstance(one, LocalFault) for one in failures):
                ended, waiting = concurrent.futures.wait(
                    waiting, WAKE_SECONDS, concurrent.futures.FIRST_COMPLETED
                )
                for job in ended:
                    try:
                        arrived.append((jobs[job], job.result()))
                        telling.file_done()
                    except LocalFault as error:
                        # The others would fail likewise, or take the room that is left.
                        failures.insert(0, error)
                    except Exception as error:
                        failures.append(error)
        finally:
            fetcher.transport.cancelled.set()
            pool.shutdown(wait=False, cancel_futures=True)
            fetcher.close()
    if not failures:
        for note in fetcher.notes:
            print(f"mirror: note: {one_line(note)}", file=sys.stderr)
    store.add(arrived, environment)
    for _, path in arrived:
        shutil.rmtree(path.parent, ignore_errors=True)
    for file in missing:
        with contextlib.suppress(OSError):
            (folder / file.sha256).rmdir()
    if failures:
        first = first_of(failures, len(missing) - len(arrived))
        absent = [one for one in failures if isinstance(one, AbsentFile)]
        raise AbsentFiles(str(first), absent) if absent == failures else first


def first_of(failures: Sequence[Exception], count: int) -> Exception:
    """The error to raise for several; count: the number of files that did not come."""
    first = failures[0]
    if count > 1 and isinstance(first, MirrorError):
        return MirrorError(f"{count} files did not come; the first: {first}")
    return first
