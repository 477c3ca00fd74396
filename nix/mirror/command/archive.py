"""An archive of one's own: all locked files in a folder, by their SHA-256."""

from __future__ import annotations

import concurrent.futures
import contextlib
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import download
import pins
from closure import Closure
from errors import AbsentFile, AbsentFiles, MirrorError
from locked_file import LockedFile

# Below the folder: the files, each called by its SHA-256, and the list of them.
FILES = "sha256"
INDEX = "index.json"
LOCK = ".lock"


def write(folder: str, installables: Sequence[str], base: Mapping[str, str]) -> None:
    """Write the locked files of installables into a folder, and its index.

    installables: none for all outputs of the flake of this folder; base: the
    environment. Files that are there stay; the index lists them, too. Each is written
    beside its place, and renamed once its hash is right.
    A pin whose file no mirror has any more is replaced, as in a build (healing.py).
    Raises MirrorError where a file is on no mirror, or the folder cannot be written.
    """
    target = Path(folder)
    try:
        write_once(target, installables, base)
    except AbsentFile as absent:
        import healing

        healing.heal(AbsentFiles(str(absent), [absent]), base)
        write_once(target, installables, base)


def write_once(
    target: Path, installables: Sequence[str], base: Mapping[str, str]
) -> None:
    """Write an archive; see write. Raises AbsentFile where no mirror has a file."""
    closure = Closure(installables, base)
    files = closure.locked_files()
    try:
        (target / FILES).mkdir(parents=True, exist_ok=True)
        with download.locked(target / LOCK):
            missing = [file for file in files if not is_there(target, file)]
            absent = [file for file in missing if not copy_from_store(target, file)]
            fetch(target, absent, base)
            listed = {entry["sha256"]: entry for entry in read_index(target)}
            listed.update({file.sha256: entry_of(file, target) for file in files})
            entries = sorted(listed.values(), key=lambda entry: str(entry["location"]))
            pins.write_json(target / INDEX, {"files": entries})
    except (OSError, download.LocalFault) as error:
        cause = getattr(error, "strerror", None) or error
        raise MirrorError(
            f"{target} cannot be written ({cause}): free some space there, or name a"
            " folder that you may write to"
        ) from None
    if closure.note:
        print(closure.note, file=sys.stderr)
    size = sum(entry["size"] for entry in entries)
    print(
        f"mirror: {target}: {len(entries)} files, {size / 1e6:.1f} MB,"
        f" {len(missing)} of them new: MIRROR_FILES={target.resolve()}",
        file=sys.stderr,
    )


def place(target: Path, file: LockedFile) -> Path:
    """Return where a file lies in an archive."""
    return target / FILES / file.sha256


def is_there(target: Path, file: LockedFile) -> bool:
    """Say whether a file is in an archive; one with another hash is not, and reported."""
    path = place(target, file)
    if not path.exists():
        return False
    if download.digest(path) == file.sha256:
        return True
    print(f"mirror: note: {path} has another hash: replaced", file=sys.stderr)
    return False


def copy_from_store(target: Path, file: LockedFile) -> bool:
    """Copy a file from the Nix store; returns whether the store has it, as it is.

    Of a package of which the store only has a member, it does not have the file.
    """
    source = Path(file.store_path)
    if file.kind == "member" or not source.is_file():
        return False
    path = place(target, file)
    part = path.with_name(f"{path.name}.part")
    try:
        shutil.copyfile(source, part)
        if download.digest(part) != file.sha256:
            return False
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return True


def fetch(target: Path, files: Sequence[LockedFile], base: Mapping[str, str]) -> None:
    """Bring files from the mirrors into an archive; raises MirrorError."""
    if not files:
        return
    with contextlib.closing(download.Fetcher(target, base)) as fetcher:
        with concurrent.futures.ThreadPoolExecutor(download.CONNECTIONS) as pool:
            jobs = [
                pool.submit(fetcher.bring, file, place(target, file)) for file in files
            ]
            for job in jobs:
                job.result()


def read_index(target: Path) -> list[dict[str, Any]]:
    """Return the entries of an archive's index whose files are there."""
    path = target / INDEX
    try:
        entries = pins.read_json(path)["files"] if path.exists() else []
        return [e for e in entries if (target / FILES / e["sha256"]).exists()]
    except (ValueError, KeyError, TypeError):
        raise MirrorError(f"{path} is not the index of an archive: rm {path}") from None


def entry_of(file: LockedFile, target: Path) -> dict[str, Any]:
    """Return what the index says of a file."""
    return {
        "name": file.location.rpartition("/")[2],
        "kind": "pypi" if file.kind == "pypi" else "debian",
        "location": file.location,
        "sha256": file.sha256,
        "size": place(target, file).stat().st_size,
    }
