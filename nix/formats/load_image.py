"""Loads an image into Docker, without the layers that the daemon has already.

A daemon takes an archive that lacks layers whose chain it has (moby,
image/tarexport/load.go); what it has, `docker image inspect` tells. Where it refuses
such an archive all the same, it is sent everything.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Optional

BLOCK = 512
CHUNK = 1 << 20
LAYER = re.compile(r"([0-9a-f]{64})/layer\.tar")


class LoadError(Exception):
    """The image is not loaded; the message is one line that says why."""


def chains(diff_ids: Sequence[str]) -> Iterator[str]:
    """The chain ids of layers, from below: each names a layer on those below it.

    diff_ids: hexadecimal SHA-256. Source: OCI Image Configuration, "Layer ChainID".
    """
    chain = ""
    for diff_id in diff_ids:
        text = f"sha256:{chain} sha256:{diff_id}".encode()
        chain = hashlib.sha256(text).hexdigest() if chain else diff_id
        yield chain


def hexadecimal(digests: Sequence[str]) -> list[str]:
    """Digests without the name of their algorithm."""
    return [digest.partition(":")[2] for digest in digests]


def ask(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run the Docker client. Raises LoadError where there is none."""
    try:
        return subprocess.run(
            ["docker", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise LoadError(
            "no docker on this machine: apt-get install docker.io"
        ) from None


def chains_of(images: Sequence[str]) -> set[str]:
    """The chain ids of all layers of these images, as far as the daemon has them."""
    shown = ask("image", "inspect", "--format", "{{json .RootFS.Layers}}", *images)
    held: set[str] = set()
    for line in shown.stdout.splitlines():
        if line:
            held.update(chains(hexadecimal(json.loads(line) or [])))
    return held


def held_chains() -> set[str]:
    """The chain ids of all layers that the daemon's images have. Raises LoadError."""
    listed = ask("image", "ls", "--all", "--quiet", "--no-trunc")
    if listed.returncode != 0:
        raise LoadError(" ".join(listed.stderr.split()))
    images = sorted(set(listed.stdout.split()))
    return chains_of(images) if images else set()


@dataclass
class Sent:
    """What went to the daemon."""

    layers: int = 0
    bytes: int = 0


def send_archive(source: IO[bytes], target: IO[bytes], held: Collection[str]) -> Sent:
    """Pass an image archive on, but for the lowest layers whose chain ids are held.

    Layers are files SHA-256/layer.tar and come in their order, from below.
    Raises LoadError where the archive ends early.
    """
    sent = Sent()
    diff_ids: list[str] = []
    below = True

    def read(size: int) -> bytes:
        data = source.read(size)
        if len(data) < size:
            raise LoadError("the image's stream ended early; it says why above")
        return data

    def write(data: bytes) -> None:
        target.write(data)
        sent.bytes += len(data)

    while True:
        header = read(BLOCK)
        if not header.strip(b"\0"):
            break
        member = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        layer = LAYER.fullmatch(member.name)
        if layer is not None:
            diff_ids.append(layer[1])
            below = below and list(chains(diff_ids))[-1] in held
            sent.layers += not below
        passed = layer is None or not below
        if passed:
            write(header)
        left = -(-member.size // BLOCK) * BLOCK
        while left:
            data = read(min(CHUNK, left))
            left -= len(data)
            if passed:
                write(data)
    write(header)
    for data in iter(lambda: source.read(CHUNK), b""):
        write(data)
    return sent


def load(stream: Sequence[str], held: Collection[str]) -> Optional[Sent]:
    """Have `docker load` read what the command `stream` writes.

    held: chain ids of layers to leave out. None where the daemon refuses the archive,
    which the client says on standard error. Raises LoadError where the stream breaks.
    """
    client = subprocess.Popen(["docker", "load"], stdin=subprocess.PIPE)
    source = subprocess.Popen(stream, stdout=subprocess.PIPE)
    assert client.stdin is not None and source.stdout is not None
    sent = None
    try:
        with source.stdout, client.stdin:
            sent = send_archive(source.stdout, client.stdin, held)
    except BrokenPipeError:
        pass
    finally:
        source.wait()
        status = client.wait()
    return sent if status == 0 else None


def layers_of(description: Path) -> list[str]:
    """The layers that a description (mirror/builders/describe_image.py) lists."""
    content: dict[str, Any] = json.loads(description.read_text())
    return [layer["digest"] for layer in content["layers"]]


def held_layers(layers: Sequence[str], name: str) -> int:
    """How many of the layers, from below, the daemon has. Raises LoadError.

    name: the image's. Where an older image of the name has all but the top layer, as
    after an edit of the application, no other one is asked for.
    """
    wanted = list(chains(layers))
    held = chains_of([name])
    count = sum(chain in held for chain in wanted)
    if count < len(layers) - 1:
        held = held_chains()
        count = sum(chain in held for chain in wanted)
    return count


def load_missing(stream: Sequence[str], name: str, description: Optional[Path]) -> Sent:
    """Load the image of a stream; see main. Raises LoadError."""
    options: list[str] = []
    left_out: set[str] = set()
    if description is None:
        left_out = held_chains()
    else:
        layers = layers_of(description)
        count = held_layers(layers, name)
        # One and the same layer may lie above once more.
        without = set(layers[:count]) - set(layers[count:])
        options = [word for digest in sorted(without) for word in ("--without", digest)]
    sent = load([*stream, *options], left_out)
    if sent is None and (options or left_out):
        print("load: the daemon refuses an archive that lacks layers:", file=sys.stderr)
        print("load: it is sent all of them", file=sys.stderr)
        sent = load(stream, ())
    if sent is None:
        raise LoadError("the daemon takes no image; it says why above")
    return sent


def main(words: Optional[Sequence[str]] = None) -> int:
    """Load the image; returns 1 with one line on standard error where it cannot.

    words: the arguments, by default those of the process: the program that streams the
    image, its name, and what describes it, where the program takes `--without DIGEST`.
    """
    parser = argparse.ArgumentParser(
        prog="load",
        description="Loads an image into Docker, without the layers that it has.",
    )
    parser.add_argument("--stream", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--name", required=True, help=argparse.SUPPRESS)
    parser.add_argument("--description", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    try:
        sent = load_missing([arguments.stream], arguments.name, arguments.description)
    except LoadError as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    print(f"load: sent {sent.layers} layers, {sent.bytes} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
