"""How many requests the application answers: in its container, and without one."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from daemon import MadeImages, container, identity, load
from loopback import answers, free_port
from programs import given, run
from measurement import (
    PATIENCE,
    REQUEST_RUNS,
    BenchError,
    Row,
    alternate,
    median,
    poll,
)

PROGRAMS = ("docker", "wrk")
CONNECTIONS = 16
SECONDS = 1
SECONDS_TO_STOP = 10
REQUESTS = re.compile(r"(\d+) requests in")
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
HALF = re.compile(r"^\s+50%\s+([0-9.]+)(us|ms|s)", re.MULTILINE)
ALMOST = re.compile(r"^\s+99%\s+([0-9.]+)(us|ms|s)", re.MULTILINE)
ERRORS = re.compile(r"^\s*(Socket errors:.*|Non-2xx.*)$", re.MULTILINE)
FIGURES = (
    ("requests", "1/s", "≥ 0.97, better ≥ 1"),
    ("processor time of a request", "ms", ""),
    ("latency, half", "ms", ""),
    ("latency, 99 of 100", "ms", ""),
)
MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(NamedTuple):
    """What wrk tells: requests by second, how many, and latencies in milliseconds."""

    rate: float
    requests: int
    half: float
    almost: float


def read_load(output: str) -> Load:
    """Read what wrk prints with --latency.

    Raises BenchError where a request failed, or where there were none: then its figures
    are those of something else.
    """
    errors = ERRORS.search(output)
    if errors is not None:
        raise BenchError(f"wrk: {errors[1]}")
    rate, half, almost = RATE.search(output), HALF.search(output), ALMOST.search(output)
    count = REQUESTS.search(output)
    if not (rate and half and almost and count and int(count[1])):
        raise BenchError(f"wrk: {(output.strip() or 'nothing').splitlines()[-1]}")
    return Load(
        float(rate[1]),
        int(count[1]),
        float(half[1]) * MILLISECONDS[half[2]],
        float(almost[1]) * MILLISECONDS[almost[2]],
    )


@contextmanager
def outside(words: Sequence[str], variables: Mapping[str, str]) -> Iterator[int]:
    """Gunicorn of the application's environment, without a container.

    words: its arguments; variables: its environment beside what the images have, too.
    Gives the number of its process.
    """
    environment = {
        "PYTHONPATH": ".",
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LANG": "C.UTF-8",
        "PATH": os.environ["PATH"],
    }
    process = subprocess.Popen(
        [given("APP_EXAMPLE_ENVIRONMENT") / "bin/gunicorn", *words],
        cwd="app-example",
        env={**environment, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def settings(port: int, workers: int) -> dict[str, str]:
    """The variables of our server: at loopback, without a line for each request."""
    return {
        "BIND": f"127.0.0.1:{port}",
        "WORKERS": str(workers),
        "ACCESS_LOG": "",
    }


@contextmanager
def in_container(image: str, port: int, workers: int) -> Iterator[int]:
    """The image's container on the host's network; gives the number of its process."""
    variables = settings(port, workers).items()
    options = [word for name, value in variables for word in ("-e", f"{name}={value}")]
    with container(image, "--network", "host", *options) as name:
        yield int(run("docker", "inspect", "--format", "{{.State.Pid}}", name))


@contextmanager
def same_server(port: int, workers: int) -> Iterator[int]:
    """The same server files, interpreter and packages without a container."""
    file = given("APPLICATION_SERVER") / "gunicorn_configuration.py"
    with outside(["-c", str(file)], settings(port, workers)) as pid:
        yield pid


@contextmanager
def plain_server(port: int, workers: int) -> Iterator[int]:
    """The same interpreter and packages with Uvicorn's own worker, no file of ours."""
    words = ["-k", "uvicorn.workers.UvicornWorker", "-b", f"127.0.0.1:{port}"]
    words += ["-w", str(workers), "--worker-tmp-dir", "/dev/shm", "app.main:app"]
    with outside(words, {}) as pid:
        yield pid


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


def loaded(port: int, pid: int) -> tuple[float, float, float, float]:
    """How a server fares under load, on new connections: one figure each of FIGURES.

    pid: Gunicorn's process.
    """
    words = ("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency")
    before = processor_seconds(pid)
    output = run(*words, f"http://127.0.0.1:{port}/")
    used = processor_seconds(pid) - before
    told = read_load(output)
    return told.rate, 1000 * used / told.requests, told.half, told.almost


def measure_workers(runs: int, image: str, workers: int) -> list[Row]:
    """Rows of so many workers."""
    ports = [free_port() for _ in range(3)]
    taken: list[list[tuple[float, ...]]] = [[] for _ in ports]

    def work(place: int, pid: int) -> Callable[[int], float]:
        def load_it(_: int) -> float:
            figures = loaded(ports[place], pid)
            taken[place].append(figures)
            return figures[0]

        return load_it

    with in_container(image, ports[0], workers) as ours, same_server(
        ports[1], workers
    ) as same, plain_server(ports[2], workers) as plain:
        for port in ports:
            poll(lambda: answers(port), "an answer of the application")
        works = [work(place, pid) for place, pid in enumerate((ours, same, plain))]
        alternate(REQUEST_RUNS * runs, *works)
    ours_, same_, plain_ = (
        [median(column) for column in zip(*figures[PATIENCE:])] for figures in taken
    )
    many = f"{workers} worker{'s' if workers > 1 else ''}"
    rows = [
        Row(f"{name}, {many}", figure, unit, "no container", other, aim)
        for (name, unit, aim), figure, other in zip(FIGURES, ours_, same_)
    ]
    rows += [
        Row(
            *(f"{name}, {many}, neither in a container", figure, unit),
            *("Uvicorn's own worker", other),
        )
        for (name, unit, _), figure, other in zip(FIGURES[:2], same_, plain_)
    ]
    return rows


def measure(runs: int, images: MadeImages) -> list[Row]:
    """Rows of requests by second, their cost and latency, with 1 and 2 workers."""
    image = identity(load(images, given("APP_EXAMPLE_IMAGE")))
    return [row for many in (1, 2) for row in measure_workers(runs, image, many)]
