"""Measures against peers on this machine, and writes the README's figures.

Started in the repository's folder: ./mirror nix run .#bench
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import edit
import server
import size
import writer
from programs import PACKAGES, demand, given, run, served_index
from measurement import BenchError, Row, heading, replaced, table
from peer import build_peer

PARTS = ("writer", "edit", "size", "start", "requests")
README = Path("README.md")


def measure(
    parts: Sequence[str], runs: int, streamer: Optional[Path], load_before: float
) -> str:
    """Take the figures of some parts; returns their table. Raises BenchError."""
    demand(PACKAGES)
    rows: list[Row] = []
    peer = ""
    loaded = run("docker", "load", "-i", str(given("APP_EXAMPLE_IMAGE")))
    image = loaded.strip().rpartition("Loaded image: ")[2]
    identity = run("docker", "image", "inspect", "--format", "{{.Id}}", image).strip()
    if {"size", "start"} & set(parts):
        with served_index(given("WHEELS")) as index:
            peer = build_peer(index)
    if "writer" in parts:
        rows += writer.measure(runs, streamer)
    if "edit" in parts:
        rows += edit.measure(runs)
    if "size" in parts:
        rows += size.measure(peer)
    if "start" in parts:
        rows += server.measure_start(runs, identity, peer)
    if "requests" in parts:
        rows += server.measure_requests(runs, identity)
    return table(rows, heading(runs, load_before))


def main(words: Optional[Sequence[str]] = None) -> int:
    """Measure; returns 1 with one line on standard error where something is missing.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="of each figure: 5")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, help="these parts alone, printed alone"
    )
    parser.add_argument(
        "--nixpkgs-streamer", type=Path, help="nixpkgs' stream_layered_image.py"
    )
    parser.add_argument("--print", action="store_true", help="leave the README alone")
    arguments = parser.parse_args(words)
    load_before = os.getloadavg()[0]
    try:
        if arguments.nixpkgs_streamer and not arguments.nixpkgs_streamer.is_file():
            raise BenchError(f"no file {arguments.nixpkgs_streamer}")
        text = README.read_text()
        replaced(text, "")
        content = measure(
            arguments.only or PARTS,
            arguments.runs,
            arguments.nixpkgs_streamer,
            load_before,
        )
        print(content)
        if not arguments.only and not arguments.print:
            beside = README.with_suffix(".md.new")
            beside.write_text(replaced(text, content))
            beside.rename(README)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
