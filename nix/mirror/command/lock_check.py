"""Compares the locks with what the mirrors offer now: `./mirror lock --check`."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pins
from debian_index import NoSuite, SuiteIndex
from debian_roots import Roots, debian_roots
from package_index import Index
from pins import Pin
from places import LOCK, MIRROR_SET, SETS, SUITES, WHEELS_LOCK
from transport import Transport

HEADINGS = ("what", "pinned", "offered", "state")

SUPERSEDED = "superseded"
ABSENT = "in no index"

# A row of the table, by HEADINGS, and whether something must be done about it.
Row = tuple[tuple[str, str, str, str], bool]


def check(base: Mapping[str, str]) -> int:
    """Print a table of the pins that are not what the mirrors offer now.

    base: the environment. Returns the exit status: 1 where something must be done, which
    is to pin anew what is superseded or in no index, or to name a mirror of a release
    that none carries. That a release is past its end of life is a row, too; there only
    the images' Python can change.
    Raises MirrorError where there is no mirror at all.
    """
    lock = pins.read_lock(MIRROR_SET / LOCK)
    sets = pins.read_toml(MIRROR_SET / SETS)
    suites = pins.read_toml(MIRROR_SET / SUITES)
    roots = debian_roots(base)
    rows: list[Row] = []
    for suite in dict.fromkeys(wanted["suite"] for wanted in sets.values()):
        names = [name for name in sets if sets[name]["suite"] == suite]
        pinned = {pin.package: pin for name in names for pin in lock.get(name, [])}
        rows += suite_rows(suite, list(pinned.values()), suites, roots)
    rows += wheel_rows(base)
    print(table([row for row, _ in rows]), end="")
    must_be_done = sum(due for _, due in rows)
    if must_be_done:
        print(
            f"mirror: something must be done about {must_be_done} of these: ./mirror"
            " lock, or name a mirror of a release that none carries in MIRROR_DEBIAN",
            file=sys.stderr,
        )
    return 1 if must_be_done else 0


def suite_rows(
    suite: str, pinned: Sequence[Pin], suites: Mapping[str, Any], roots: Roots
) -> list[Row]:
    """Return the rows of one release: of itself, and of its pins."""
    title = pins.suite_title(suite, suites)
    rows: list[Row] = []
    ended = pins.has_ended(suite, suites)
    if ended:
        end = str(suites[suite]["end"])
        rows.append(((title, "", "", f"past its end of life since {end}"), False))
    with tempfile.TemporaryDirectory() as temporary:
        try:
            index = SuiteIndex(Path(temporary), suite, roots, ended)
        except NoSuite:
            rows.append(((title, f"{len(pinned)} packages", "", "on no mirror"), True))
            return rows
        offered = index.offered(pin.package for pin in pinned)
    for pin in sorted(pinned, key=lambda one: one.package):
        stanzas = offered.get(pin.package, [])
        newest = stanzas[0]["Version"] if stanzas else ""
        if not any(stanza["SHA256"] == pin.sha256 for stanza in stanzas):
            rows.append(((f"{suite} {pin.package}", pin.version, newest, ABSENT), True))
        elif newest != pin.version:
            row = (f"{suite} {pin.package}", pin.version, newest, SUPERSEDED)
            rows.append((row, True))
    return rows


def wheel_rows(base: Mapping[str, str]) -> list[Row]:
    """Return the rows of the tools' wheels that no index lists."""
    index = Index(base)
    rows: list[Row] = []
    with contextlib.closing(Transport(index.session)) as transport:
        for project, wheel in pins.read_json(MIRROR_SET / WHEELS_LOCK).items():
            links, problems = index.links(project, transport)
            if wheel["location"] not in links:
                state = "; ".join([ABSENT, *problems])
                rows.append(((project, wheel["version"], "", state), True))
    return rows


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return rows below their headings, in columns; "" where there are none.

    >>> print(table([("a", "1", "2", "superseded")]), end="")
    what  pinned  offered  state
    a     1       2        superseded
    """
    rows = list(rows)
    if not rows:
        return ""
    lines = [HEADINGS, *rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEADINGS))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
        + "\n"
        for line in lines
    )
