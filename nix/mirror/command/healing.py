"""Replaces pins whose files no mirror has any more, for this machine.

Only absence is healed: a file with another hash than the pinned one never is. What
replaces a pin comes from the same Debian release, and counts by the chain of hashes that
starts at a signature (apt-secure(8)): Release, Packages, SHA-256 of the file. The
checkout stays as it is; see overlay.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import busybox
import overlay
import pins
from debian_index import NoSuite, SuiteIndex
from debian_roots import debian_roots
from errors import AbsentFile, AbsentFiles, MirrorError
from places import BUSYBOX_LOCK, LOCK, MIRROR_SET, SETS, SUITES
from replacement import Replacement, moves_of, summary


def heal(error: AbsentFiles, base: Mapping[str, str]) -> None:
    """Write an overlay in which absent files are replaced, and print what moved.

    error: what was raised for them; base: the environment.
    Raises MirrorError where that is not wanted (see overlay.is_locked), where the
    mirrors that have signed indexes do not all say that a file is absent, or where these
    offer nothing else.
    """
    if overlay.is_locked(base):
        raise MirrorError(
            f"{error}; or accept newer versions: run this without --locked and with"
            f" {overlay.VARIABLE} unset"
        )
    content = overlay.read(base)
    locks = content["locks"] if content else overlay.checkout_locks()
    before = lock = pins.parse_lock(locks[LOCK])
    original = pins.read_lock(MIRROR_SET / LOCK)
    sets = pins.read_toml(MIRROR_SET / SETS)
    suites = pins.read_toml(MIRROR_SET / SUITES)
    for suite, absent in by_suite(error.absent, lock, sets).items():
        print(
            f"mirror: no mirror has {count(absent)} of"
            f" {pins.suite_title(suite, suites)}: asking its signed indexes",
            file=sys.stderr,
        )
        with tempfile.TemporaryDirectory() as temporary:
            ended = pins.has_ended(suite, suites)
            try:
                index = SuiteIndex(Path(temporary), suite, debian_roots(base), ended)
            except NoSuite as cause:
                raise MirrorError(
                    f"{absent[0].file.location} of {pins.suite_title(suite, suites)} is on"
                    f" no mirror, and {cause}"
                ) from None
            confirm(index, absent)
            hashes = [one.file.sha256 for one in absent]
            lock = Replacement(lock, sets, index, hashes).run()
    locks = {**locks, LOCK: pins.lock_json(lock)}
    (package,) = lock["busybox"]
    if package.sha256 != locks[BUSYBOX_LOCK]["sha256"]:
        locks[BUSYBOX_LOCK] = busybox.pin(package, base)
    moved = summary(moves_of(original, lock))
    overlay.write(base, {"locks": locks, "moved": moved})
    print(
        f"mirror: note: {overlay.reminder({'moved': summary(moves_of(before, lock))})}\n"
        "mirror: note: digests of images differ from those recorded;"
        " ./mirror --locked refuses instead, ./mirror lock pins anew",
        file=sys.stderr,
    )


def by_suite(
    absent: Sequence[AbsentFile], lock: pins.Lock, sets: Mapping[str, Any]
) -> dict[str, list[AbsentFile]]:
    """Return absent files by the release that they are pinned from.

    Raises the error of one that no set pins.
    """
    suites = {pin.sha256: sets[name]["suite"] for name in lock for pin in lock[name]}
    found: dict[str, list[AbsentFile]] = {}
    for one in absent:
        if one.file.sha256 not in suites:
            raise one
        found.setdefault(suites[one.file.sha256], []).append(one)
    return found


def confirm(index: SuiteIndex, absent: Sequence[AbsentFile]) -> None:
    """Raise the error of a file that is not known to be absent.

    All mirrors that the user named, and all that have a signed index of the release, must
    have answered that they do not have it; others, such as those of another vendor among
    apt's sources, do not matter.
    """
    roots = dict.fromkeys([*index.roots.named, *(root for root, _ in index.carried)])
    for one in absent:
        for root in roots:
            fault = one.faults.get(root + quote(one.file.location))
            if fault is None or not fault.missing:
                raise one


def count(absent: Sequence[AbsentFile]) -> str:
    """Return how many files are absent, in words.

    >>> count([])
    '0 files'
    """
    return f"{len(absent)} file{'s' if len(absent) != 1 else ''}"
