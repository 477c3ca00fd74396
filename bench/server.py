"""A running container: its first answer, its memory, and how many requests it answers."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from programs import given, run
from measurement import BenchError, Row, alternate, median, poll, seconds

CONNECTIONS = 16
RUN_SECONDS = 3
REQUESTS = re.compile(r"(\d+) requests in")
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
HALF = re.compile(r"^\s+50%\s+([0-9.]+)(us|ms|s)", re.MULTILINE)
ALMOST = re.compile(r"^\s+99%\s+([0-9.]+)(us|ms|s)", re.MULTILINE)
FIGURES = (
    ("requests", "1/s", "≥ 0.97, better ≥ 1"),
    ("processor time of a request", "ms", ""),
    ("latency, half", "ms", ""),
    ("latency, 99 of 100", "ms", ""),
)
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether GET / on loopback is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def container(image: str, *options: str) -> Iterator[str]:
    """A container of an image, removed at the end; gives its identity."""
    identity = run("docker", "run", "--detach", *options, image).strip()
    try:
        yield identity
    finally:
        run("docker", "rm", "--force", identity)


def memory(identity: str) -> float:
    """The bytes that a container's processes keep in memory, shared pages counted once.

    Source: proc(5), /proc/PID/smaps_rollup, Pss.
    """
    total = 0.0
    for pid in run("docker", "top", identity, "-o", "pid").split()[1:]:
        rollup = Path("/proc", pid, "smaps_rollup").read_text()
        found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        if found is None:
            raise BenchError("/proc/PID/smaps_rollup has no Pss")
        total += 1024 * int(found[1])
    return total


def start(image: str) -> tuple[float, float]:
    """Seconds from `docker run` to the first answer, and bytes of memory then."""
    port = free_port()
    identities: list[str] = []

    def run_until_answer() -> None:
        words = ("--detach", "--publish", f"127.0.0.1:{port}:80")
        identities.append(run("docker", "run", *words, image).strip())
        poll(lambda: answers(port), f"an answer of {image}")

    try:
        taken = seconds(run_until_answer)
        return taken, memory(identities[0])
    finally:
        for identity in identities:
            run("docker", "rm", "--force", identity)


def measure_start(runs: int, image: str, peer: str) -> list[Row]:
    """Rows of the first answer and memory. image, peer: names that Docker knows."""
    used: dict[str, list[float]] = {image: [], peer: []}

    def nothing(name: str) -> Callable[[int], float]:
        words = ("docker", "run", "--rm", "--entrypoint", "/bin/sh", name, "-c", ":")
        return lambda _: seconds(lambda: run(*words))

    def started(name: str) -> Callable[[int], float]:
        def work(_: int) -> float:
            taken, bytes_used = start(name)
            used[name].append(bytes_used)
            return taken

        return work

    works = (started(image), started(peer), nothing(image), nothing(peer))
    times = [median(figures) for figures in alternate(runs, *works)]
    kept = [median(used[image][1:]), median(used[peer][1:])]
    against = "Dockerfile on slim Debian"
    aim = "≤ 0.75, better ≤ 0.6"
    return [
        Row("`docker run` → first answer", times[0], "s", against, times[1], aim),
        Row(
            "Docker's share: `docker run` of `sh -c :`",
            times[2],
            "s",
            against,
            times[3],
        ),
        Row("memory after it", kept[0], "B", against, kept[1]),
    ]


@contextmanager
def outside(port: int, workers: int) -> Iterator[int]:
    """The application served by the same interpreter and packages without a container.

    Gives the number of Gunicorn's process.
    """
    environment = {
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": str(workers),
        "ACCESS_LOG": "",
        "PYTHONPATH": ".",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
    }
    gunicorn = given("APP_EXAMPLE_ENVIRONMENT") / "bin/gunicorn"
    settings = given("APPLICATION_SERVER") / "gunicorn_configuration.py"
    process = subprocess.Popen(
        [gunicorn, "-c", settings],
        cwd="app-example",
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def inside(image: str, port: int, workers: int) -> Iterator[int]:
    """The image's container on the host's network; gives the number of Gunicorn's process."""
    variables = (f"BIND=127.0.0.1:{port}", f"WORKERS={workers}", "ACCESS_LOG=")
    options = [word for variable in variables for word in ("--env", variable)]
    with container(image, "--network", "host", *options) as identity:
        yield int(run("docker", "inspect", "--format", "{{.State.Pid}}", identity))


def processor_seconds(pid: int) -> float:
    """The processor's time that a process and its children have used.

    Source: proc(5), /proc/PID/stat (utime, stime), /proc/PID/task/TID/children.
    """
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return ticks / os.sysconf("SC_CLK_TCK") + sum(
        processor_seconds(int(child)) for child in children
    )


def load(port: int, pid: int) -> tuple[float, float, float, float]:
    """How a server fares under load: one figure each of FIGURES.

    pid: Gunicorn's process.
    """
    words = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{RUN_SECONDS}s", "--latency")
    before = processor_seconds(pid)
    output = run(*words, f"http://127.0.0.1:{port}/")
    used = processor_seconds(pid) - before
    rate, half, almost = RATE.search(output), HALF.search(output), ALMOST.search(output)
    count = REQUESTS.search(output)
    if not (rate and half and almost and count) or "Non-2xx" in output:
        raise BenchError(f"wrk: {output.strip().splitlines()[-1]}")
    return (
        float(rate[1]),
        1000 * used / int(count[1]),
        float(half[1]) * MILLISECONDS[half[2]],
        float(almost[1]) * MILLISECONDS[almost[2]],
    )


def measure_requests(runs: int, image: str) -> list[Row]:
    """Rows of requests by second, their cost and latency, with 1 and 2 workers."""
    rows = []
    for workers in (1, 2):
        ports = (free_port(), free_port())
        taken: list[list[tuple[float, ...]]] = [[], []]

        def loaded(place: int, pid: int) -> Callable[[int], float]:
            def work(_: int) -> float:
                taken[place].append(load(ports[place], pid))
                return 0.0

            return work

        with inside(image, ports[0], workers) as ours, outside(
            ports[1], workers
        ) as theirs:
            for port in ports:
                poll(lambda: answers(port), "an answer of the application")
            alternate(runs, loaded(0, ours), loaded(1, theirs))
        columns = [list(zip(*figures[1:])) for figures in taken]
        what = f"{workers} worker{'s' if workers > 1 else ''}"
        for (name, unit, aim), figures, others in zip(FIGURES, *columns):
            rows.append(
                Row(
                    *(f"{name}, {what}", median(figures), unit),
                    *("no container", median(others), aim),
                )
            )
    return rows
