"""Measures against peers on this machine, and writes the README's figures.

Started in the repository's folder: ./mirror nix run .#bench
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Optional

import builds
import edit
import peer
import server
import size
import start
import writer
from daemon import MadeImages, made_images
from programs import demand, given, served_index
from measurement import BenchError, Row, heading, replaced, table

README = Path("README.md")
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Part:
    """A part of the figures.

    measure: takes how many runs, and where images are noted; programs: what has to be on
    the machine; has_peers: whether the peers' images have to be there.
    """

    measure: Callable[[int, MadeImages], list[Row]]
    programs: Sequence[str]
    has_peers: bool = False


def parts_of(streamer: Optional[Path]) -> Mapping[str, Part]:
    """The parts by name. streamer: nixpkgs' stream_layered_image.py, if it is there."""
    return {
        "writer": Part(lambda runs, _: writer.measure(runs, streamer), writer.PROGRAMS),
        "edit": Part(edit.measure, edit.PROGRAMS),
        "builds": Part(builds.measure, builds.PROGRAMS),
        "size": Part(lambda _, __: size.measure(), size.PROGRAMS, has_peers=True),
        "start": Part(start.measure, start.PROGRAMS, has_peers=True),
        "requests": Part(server.measure, server.PROGRAMS),
    }


def measure(parts: Sequence[Part], runs: int, load_before: float) -> str:
    """Take the figures of some parts; returns their table. Raises BenchError.

    load_before: the load average when this was begun.
    """
    has_peers = any(part.has_peers for part in parts)
    needed = [name for part in parts for name in part.programs]
    demand([*needed, *(peer.PROGRAMS if has_peers else ())])
    with made_images() as images:
        if has_peers:
            with served_index(given("WHEELS")) as index:
                peer.build_peers(images, index)
        rows = [row for part in parts for row in part.measure(runs, images)]
    return table(rows, heading(runs, load_before))


def end(number: int, frame: object) -> NoReturn:
    """End on a signal in order: what was started and made is removed on the way.

    Further signals do not hinder that.
    """
    for further in SIGNALS:
        signal.signal(further, signal.SIG_IGN)
    sys.exit(128 + number)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Measure; returns 1 with one line on standard error where something is missing.

    words: the arguments, by default those of the process.
    """
    names = list(parts_of(None))
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each figure: 5")
    parser.add_argument(
        "--only", nargs="+", choices=names, help="these parts alone, printed alone"
    )
    parser.add_argument(
        "--nixpkgs-streamer", type=Path, help="nixpkgs' stream_layered_image.py"
    )
    parser.add_argument("--print", action="store_true", help="leave the README alone")
    arguments = parser.parse_args(words)
    if arguments.runs < 1:
        parser.error("--runs: at least 1")
    for number in SIGNALS:
        signal.signal(number, end)
    load_before = os.getloadavg()[0]
    streamer = arguments.nixpkgs_streamer
    try:
        if streamer and not streamer.is_file():
            raise BenchError(f"no file {streamer}")
        replaced(README.read_text(), "")
        chosen = parts_of(streamer.resolve() if streamer else None)
        parts = [chosen[name] for name in names if name in (arguments.only or names)]
        content = measure(parts, arguments.runs, load_before)
        print(content)
        if not arguments.only and not arguments.print:
            beside = README.with_suffix(".md.new")
            beside.write_text(replaced(README.read_text(), content))
            beside.rename(README)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
