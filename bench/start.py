"""A container's first answer, Docker's share of the time until then, and its memory."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon import MadeImages, container, identity, load
from loopback import answers, free_port
from peer import PEERS
from programs import given, run
from measurement import PATIENCE, START_RUNS, Row, alternate, median, poll, seconds

PROGRAMS = ("docker",)

# `docker run` of a shell that does nothing.
NOTHING = ("--entrypoint", "/bin/sh")
NOTHING_COMMAND = ("-c", ":")


@dataclass(frozen=True)
class Network:
    """A network of Docker's. options: what `docker run` needs for it."""

    name: str
    options: tuple[str, ...]
    is_host: bool


BRIDGE = Network("port published", (), False)
HOST = Network("`--network host`", ("--network", "host"), True)


@dataclass(frozen=True)
class Served:
    """An image that serves the application at 0.0.0.0:80.

    command: the words that its server is started with where they say the address; ()
    where BIND says it.
    """

    image: str
    command: tuple[str, ...] = ()

    def words(self, network: Network, port: int) -> tuple[list[str], tuple[str, ...]]:
        """The options of `docker run`, and the command, to be served at loopback.

        >>> Served("ours").words(HOST, 8000)
        (['--network', 'host', '--env', 'BIND=127.0.0.1:8000'], ())
        >>> Served("peer", ("-b", "0.0.0.0:80")).words(HOST, 8000)
        (['--network', 'host'], ('-b', '127.0.0.1:8000'))
        >>> Served("peer", ("-b", "0.0.0.0:80")).words(BRIDGE, 8000)
        (['--publish', '127.0.0.1:8000:80'], ())
        """
        address = f"127.0.0.1:{port}"
        options = list(network.options)
        if not network.is_host:
            return [*options, "--publish", f"{address}:80"], ()
        if not self.command:
            return [*options, "--env", f"BIND={address}"], ()
        said = tuple(address if word == "0.0.0.0:80" else word for word in self.command)
        return options, said


def memory(name: str) -> float:
    """The bytes that a container's processes keep in memory, shared pages counted once.

    Source: proc(5), /proc/PID/smaps_rollup, Pss.
    """
    total = 0.0
    for pid in run("docker", "top", name, "-o", "pid").split()[1:]:
        rollup = Path("/proc", pid, "smaps_rollup").read_text()
        total += 1024 * sum(map(int, re.findall(r"(?m)^Pss:\s+(\d+) kB", rollup)))
    return total


def start(served: Served, network: Network) -> tuple[float, float]:
    """Seconds from `docker run` to the first answer, and bytes of memory then."""
    port = free_port()
    options, command = served.words(network, port)
    began = time.perf_counter()
    with container(served.image, *options, command=command) as name:
        poll(lambda: answers(port), f"an answer of {served.image}")
        return time.perf_counter() - began, memory(name)


def command_of(image: str) -> tuple[str, ...]:
    """The command of an image's configuration."""
    words = ("docker", "image", "inspect", "--format", "{{json .Config.Cmd}}", image)
    return tuple(json.loads(run(*words)))


def measure(runs: int, images: MadeImages) -> list[Row]:
    """Rows of the first answer and of memory; the peers' images are there."""
    ours = Served(identity(load(images, given("APP_EXAMPLE_IMAGE"))))
    peers = [Served(peer.image, command_of(peer.image)) for peer in PEERS]
    everybody = [ours, *peers]
    used: dict[str, list[float]] = {served.image: [] for served in everybody}

    def started(served: Served, network: Network) -> Callable[[int], float]:
        def work(_: int) -> float:
            taken, bytes_used = start(served, network)
            if not network.is_host:
                used[served.image].append(bytes_used)
            return taken

        return work

    def nothing(served: Served, network: Network) -> Callable[[int], float]:
        words = ("docker", "run", "--rm", *network.options, *NOTHING, served.image)
        return lambda _: seconds(lambda: run(*words, *NOTHING_COMMAND))

    kinds = [
        (network, kind) for network in (BRIDGE, HOST) for kind in (started, nothing)
    ]
    works = [kind(one, network) for network, kind in kinds for one in everybody]
    times = iter([median(taken) for taken in alternate(START_RUNS * runs, *works)])
    rows: list[Row] = []
    for network, kind in kinds:
        first = kind is started
        what = "`docker run` → first answer" if first else "Docker's share: `sh -c :`"
        aim = "≤ 0.75, better ≤ 0.6" if first else ""
        mine, *others = (next(times) for _ in everybody)
        rows += [
            Row(
                *(f"{what}, {network.name}", mine, "s"),
                *(peer.label, other, peer.aim(aim)),
            )
            for peer, other in zip(PEERS, others)
        ]
    kept, *others = (median(used[one.image][PATIENCE:]) for one in everybody)
    rows += [
        Row("memory after it", kept, "B", peer.label, other)
        for peer, other in zip(PEERS, others)
    ]
    return rows
