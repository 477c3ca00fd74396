"""Puts verified files into the Nix store."""

from __future__ import annotations

import subprocess
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from gzip import BadGzipFile
from lzma import LZMAError
from pathlib import Path
from typing import IO, Optional

import program
from errors import MirrorError
from locked_file import LockedFile

AR_MAGIC = b"!<arch>\n"
AR_HEADER = 60

# What reading a broken archive raises.
BROKEN = (ValueError, EOFError, LZMAError, BadGzipFile, zlib.error, tarfile.TarError)


def archive_members(archive: IO[bytes]) -> Iterator[tuple[str, int]]:
    """The members of an `ar` archive as (name, size); the file stands at each content.

    Raises ValueError where it is none (deb(5), ar(5)).
    """
    if archive.read(len(AR_MAGIC)) != AR_MAGIC:
        raise ValueError("no ar archive")
    while True:
        header = archive.read(AR_HEADER)
        if not header:
            return
        if len(header) != AR_HEADER or header[58:] != b"`\n":
            raise ValueError("a broken header")
        if not header[48:58].strip().isdigit():
            raise ValueError("a broken size")
        size = int(header[48:58])
        start = archive.tell()
        yield header[:16].decode("ascii").strip().rstrip("/"), size
        archive.seek(start + size + size % 2)


def extract_member(package: Path, member: str, target: Path) -> None:
    """Write one executable of a .deb into the folder `target`, under the member's path.

    Raises MirrorError where the package does not hold it, or cannot be read.
    """
    try:
        content = read_member(package, member)
    except BROKEN as error:
        raise MirrorError(
            f"{package} is not a Debian package that Python can read ({error}):"
            " ./mirror lock"
        ) from None
    if content is None:
        raise MirrorError(f"{package} does not contain {member}: ./mirror lock")
    executable = target / member
    executable.parent.mkdir(parents=True)
    executable.write_bytes(content)
    executable.chmod(0o755)


def read_member(package: Path, member: str) -> Optional[bytes]:
    """A file in a .deb, by its path without "./usr/"; None where it is not there.

    Packages from before the root was merged into /usr have it without "usr/" as well.
    Raises one of BROKEN where the package cannot be read.
    """
    with open(package, "rb") as archive:
        for name, _ in archive_members(archive):
            if not name.startswith("data.tar"):
                continue
            with tarfile.open(fileobj=archive, mode="r:*") as files:
                for entry in files:
                    content = files.extractfile(entry) if entry.isfile() else None
                    path = entry.name.removeprefix("./").removeprefix("usr/")
                    if content and path == member:
                        return content.read()
    return None


def add(
    files: Sequence[tuple[LockedFile, Path]], environment: Mapping[str, str]
) -> None:
    """Add files to the store, each at the path that its derivation names.

    files: each locked file with the verified file on disk, which is named as the store
        is to name it.
    environment: in which `nix-store` runs.
    Raises MirrorError where the store refuses, or names another path than expected.
    """
    flat = [pair for pair in files if pair[0].kind != "member"]
    executable = [pair for pair in files if pair[0].kind == "member"]
    for options, pairs in (([], flat), (["--recursive"], executable)):
        if not pairs:
            continue
        done = run(
            [*options, "--add-fixed", "sha256", *(str(path) for _, path in pairs)],
            environment,
        )
        if done.returncode != 0:
            cause = program.cause(done.stderr)
            mend = "fix that, and run this again: what was fetched is kept"
            if "No space left" in cause or "disk is full" in cause:
                mend = "free some, such as with nix-collect-garbage, and run this again"
            raise MirrorError(f"the Nix store refuses files ({cause}): {mend}")
        for (file, _), path in zip(pairs, done.stdout.split()):
            if path != file.store_path:
                raise MirrorError(
                    f"{file.name} became {path}, not {file.store_path}: ./mirror lock"
                )


def lacking(
    files: Sequence[LockedFile], environment: Mapping[str, str]
) -> list[LockedFile]:
    """Those of the files that are not valid in the store.

    A path that merely lies in the store's folder, as a failed build leaves it, is not.
    Raises MirrorError where the store cannot say.
    """
    there = set(valid([file.store_path for file in files], environment))
    return [file for file in files if file.store_path not in there]


def valid(paths: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """Return those of the store paths that are valid.

    Raises MirrorError where the store cannot say.
    """
    if not paths:
        return []
    done = run(["--check-validity", "--print-invalid", *paths], environment)
    if done.returncode != 0:
        raise MirrorError(f"the Nix store cannot be read: {program.cause(done.stderr)}")
    invalid = set(done.stdout.split())
    return [path for path in paths if path not in invalid]


def run(
    words: Sequence[str], environment: Mapping[str, str]
) -> "subprocess.CompletedProcess[str]":
    """Run `nix-store` and keep what it prints."""
    return program.run(["nix-store", *words], "apt-get install nix-bin", environment)
