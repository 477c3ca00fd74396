"""The folder of metrics: emptied with care, and right over the lives of workers."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from .conftest import Server, load_module, wait_for

APPLICATION = """
import os
from prometheus_client import (
    CollectorRegistry, Counter, Gauge, generate_latest, multiprocess
)
REQUESTS = Counter("requests", "Requests served")
ALIVE = Gauge("alive", "Workers", multiprocess_mode="liveall")

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    ALIVE.set(1)
    if scope["path"] == "/metrics":
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
        body = generate_latest(registry)
    else:
        REQUESTS.inc()
        body = str(os.getpid()).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})
"""


@pytest.fixture(scope="module")
def files() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("prometheus_files")
    return module


def test_only_files_of_the_library_are_removed(
    files: ModuleType, tmp_path: Path
) -> None:
    ours = ["counter_1.db", "gauge_liveall_22.db", "histogram_3.db", "summary_4.db"]
    others = ["README", "counter_x", "db"]
    for name in ours + others:
        (tmp_path / name).touch()
    files.prepare(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(others)


def test_the_folder_is_made(files: ModuleType, tmp_path: Path) -> None:
    files.prepare(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize("name", ["users.db", "counter_1.db.db", "counter_a.db"])
def test_a_foreign_data_base_is_refused(
    files: ModuleType, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).touch()
    (tmp_path / "counter_1.db").touch()
    with pytest.raises(ValueError, match=name):
        files.prepare(str(tmp_path))
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("folder", ["/proc/metrics", "/dev/null/metrics"])
def test_an_unusable_folder_is_one_line(files: ModuleType, folder: str) -> None:
    with pytest.raises(ValueError, match="^cannot be used: ") as raised:
        files.prepare(folder)
    assert "\n" not in str(raised.value)


@pytest.fixture
def start_with_metrics(
    project: Path, start: Callable[..., Server]
) -> Callable[..., Server]:
    """A function that starts a server of an application with metrics."""
    (project / "counting.py").write_text(APPLICATION)

    def start_server(**variables: str) -> Server:
        variables.setdefault("PROMETHEUS_MULTIPROC_DIR", str(project / "metrics"))
        return start(MODULE_NAME="counting", **variables)

    return start_server


def metric(server: Server, pattern: str) -> list[str]:
    """Return the values of a metric, once a sample's name and labels match."""
    lines = server.body("/metrics").splitlines()
    found = [re.fullmatch(rf"{pattern} (\S+)", line) for line in lines]
    return [match[1] for match in found if match]


def test_counters_add_up_and_outlive_a_worker(
    start_with_metrics: Callable[..., Server],
) -> None:
    server = start_with_metrics(WORKERS="2")
    pids: set[str] = set()
    requests = 0

    def both_answered() -> bool:
        nonlocal requests
        body = server.body("/")
        if body:
            requests += 1
            pids.add(body)
        return len(pids) == 2

    def gauges() -> set[str]:
        lines = server.body("/metrics").splitlines()
        return {line for line in lines if line.startswith("alive{")}

    wait_for(both_answered)
    assert metric(server, "requests_total") == [f"{requests}.0"]
    assert {f'alive{{pid="{pid}"}} 1.0' for pid in pids} == gauges()
    gone = pids.pop()
    os.kill(int(gone), signal.SIGKILL)
    wait_for(lambda: f'alive{{pid="{gone}"}} 1.0' not in gauges())
    wait_for(both_answered)
    assert metric(server, "requests_total") == [f"{requests}.0"]
    assert gone not in pids


def test_a_new_server_counts_from_zero(
    project: Path, start_with_metrics: Callable[..., Server]
) -> None:
    for _ in range(2):
        server = start_with_metrics()
        assert wait_for(server.body)
        assert metric(server, "requests_total") == ["1.0"]
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    assert os.listdir(project / "metrics")


def test_an_unusable_folder_ends_the_server(
    start_with_metrics: Callable[..., Server],
) -> None:
    server = start_with_metrics(PROMETHEUS_MULTIPROC_DIR="/proc/metrics")
    assert server.wait() == 3
    [line] = server.errors().splitlines()
    assert line.startswith("PROMETHEUS_MULTIPROC_DIR='/proc/metrics' cannot be used")


def test_empty_is_off(project: Path, start_with_metrics: Callable[..., Server]) -> None:
    server = start_with_metrics(PROMETHEUS_MULTIPROC_DIR="")
    assert wait_for(server.body)
    assert not list(project.glob("*.db"))
