"""The lock overlay: pins that stand for those whose files no mirror has any more.

It lies in the cache, named by the lock that it replaces, so that the checkout stays as it
is and a newer lock makes it void. Nix sees it as a copy of the mirror set with other lock
files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from errors import MirrorError
from places import BUSYBOX_LOCK, LOCK, MIRROR_SET, cache_folder

LOCKS = (LOCK, BUSYBOX_LOCK)

# What a copy of the mirror set does not need; digests are those of the lock in the checkout.
LEFT_OUT = {"command", "digests.json", "__pycache__"}

VARIABLE = "MIRROR_LOCKED"


def is_locked(base: Mapping[str, str]) -> bool:
    """Say whether only the lock of the checkout counts: by --locked or MIRROR_LOCKED."""
    return base.get(VARIABLE, "").lower() not in ("", "0", "no", "false", "off")


def path(base: Mapping[str, str]) -> Path:
    """Return where the overlay of the checkout's lock lies, whether or not it does."""
    value = hashlib.sha256()
    for name in LOCKS:
        value.update((MIRROR_SET / name).read_bytes())
    return cache_folder(base) / "overlays" / f"{value.hexdigest()}.json"


def read(base: Mapping[str, str]) -> Optional[dict[str, Any]]:
    """Read the overlay that is in force; None where there is none.

    It is an object of `locks`, the content of each file of LOCKS, and `moved`, what
    changed, as one text.
    Raises MirrorError where it cannot be read.
    """
    if is_locked(base):
        return None
    file = path(base)
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if set(content) != {"locks", "moved"} or set(content["locks"]) != set(LOCKS):
            raise ValueError("it has another shape")
        with contextlib.suppress(OSError):
            os.utime(file)
    except FileNotFoundError:
        return None
    except (OSError, TypeError, ValueError) as error:
        raise MirrorError(f"{file} cannot be read ({error}): rm {file}") from None
    return dict(content)


def write(base: Mapping[str, str], content: Mapping[str, Any]) -> None:
    """Write the overlay of the checkout's lock, whole or not at all."""
    file = path(base)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"{file.name}.{os.getpid()}.part")
        try:
            part.write_text(json.dumps(content, sort_keys=True), encoding="utf-8")
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_keep(file, error) from None


def mirror_set(base: Mapping[str, str], content: Optional[Mapping[str, Any]]) -> Path:
    """Return the mirror set that Nix is to use: the checkout's, or a copy of it.

    content: the overlay in force, if any. The copy is made once for each content.
    """
    if content is None:
        return MIRROR_SET
    locks: Mapping[str, Any] = content["locks"]
    value = hashlib.sha256(json.dumps(locks, sort_keys=True).encode())
    for file in sorted(files_of(MIRROR_SET)):
        value.update(f"{file.relative_to(MIRROR_SET)}\0".encode())
        value.update(hashlib.sha256(file.read_bytes()).digest())
    folder = cache_folder(base) / "sets" / value.hexdigest()[:32]
    try:
        if not folder.exists():
            make_copy(folder, locks)
        with contextlib.suppress(PermissionError):
            os.utime(folder)
    except OSError as error:
        raise cannot_keep(folder, error) from None
    return folder


def checkout_locks() -> dict[str, Any]:
    """Return the lock files of the checkout: the content of each, by its name."""
    return {
        name: json.loads((MIRROR_SET / name).read_text(encoding="utf-8"))
        for name in LOCKS
    }


def reminder(content: Mapping[str, Any]) -> str:
    """Return a line that says which pins an overlay replaces."""
    return f"pins that are on no mirror any more were replaced: {content['moved']}"


def files_of(folder: Path) -> list[Path]:
    """Return the files of a mirror set that a copy of it has."""
    return [
        file
        for file in folder.rglob("*")
        if file.is_file() and not LEFT_OUT & set(file.relative_to(folder).parts)
    ]


def make_copy(folder: Path, locks: Mapping[str, Any]) -> None:
    """Copy the mirror set, with these lock files in the place of its own."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix="part-", dir=folder.parent))
    try:
        ignored = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(MIRROR_SET, part, ignore=ignored, dirs_exist_ok=True)
        for name, lock in locks.items():
            text = json.dumps(lock, indent=1, sort_keys=True) + "\n"
            (part / name).write_text(text, encoding="utf-8")
        try:
            part.rename(folder)
        except OSError:
            # Another run was faster.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def cannot_keep(place: Path, error: OSError) -> MirrorError:
    """Return the error where the cache cannot be written."""
    return MirrorError(
        f"{place} cannot be written ({error.strerror}): set XDG_CACHE_HOME to a folder"
        " that you may write to"
    )
