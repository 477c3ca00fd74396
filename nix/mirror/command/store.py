"""Puts verified files into the Nix store."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from errors import MirrorError
from locked_file import LockedFile


def extract_member(package: Path, member: str, target: Path) -> None:
    """Write one executable of a .deb into the folder `target`, under the member's path.

    dpkg-deb reads the package (deb(5)).
    """
    executable = target / member
    executable.parent.mkdir(parents=True, exist_ok=True)
    try:
        reading = subprocess.Popen(
            ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
        )
    except FileNotFoundError:
        raise MirrorError(
            "no dpkg-deb on this machine: install the package dpkg and run this again"
        ) from None
    with reading, tarfile.open(fileobj=reading.stdout, mode="r|") as archive:
        for entry in archive:
            content = archive.extractfile(entry)
            if entry.name.lstrip("./") == member and content is not None:
                executable.write_bytes(content.read())
                executable.chmod(0o755)
    if not executable.exists():
        raise MirrorError(f"{package.name} holds no {member}: ./mirror lock")


def add(
    files: Sequence[tuple[LockedFile, Path]], environment: Mapping[str, str]
) -> None:
    """Add files to the store, each at the path that its derivation names.

    files: each locked file with the verified file on disk, which is named as the store
        is to name it.
    Raises MirrorError where the store refuses, or names another path than expected.
    """
    flat = [pair for pair in files if pair[0].kind != "member"]
    executable = [pair for pair in files if pair[0].kind == "member"]
    for options, pairs in (([], flat), (["--recursive"], executable)):
        if not pairs:
            continue
        command = ["nix-store", *options, "--add-fixed", "sha256"]
        done = subprocess.run(
            command + [str(path) for _, path in pairs],
            env=dict(environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode != 0:
            raise MirrorError(f"the Nix store refuses files: {done.stderr.strip()}")
        for (file, _), path in zip(pairs, done.stdout.split()):
            if path != file.store_path:
                raise MirrorError(
                    f"{file.name} became {path}, not {file.store_path}: ./mirror lock"
                )
