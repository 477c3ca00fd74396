"""Metrics of several workers in a container."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from .conftest import StartContainer, poll

APPLICATION = """
from fastapi import FastAPI
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, Counter, generate_latest, multiprocess

app = FastAPI()
REQUESTS = Counter("requests", "Requests served")


@app.get("/")
def root() -> str:
    REQUESTS.inc()
    return "counted"


@app.get("/metrics")
def metrics() -> Response:
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")
"""


def test_counters_of_all_workers(start: StartContainer, tmp_path: Path) -> None:
    library = importlib.util.find_spec("prometheus_client")
    assert library is not None and library.submodule_search_locations
    (folder,) = library.submodule_search_locations
    tmp_path.chmod(0o755)
    (tmp_path / "counting.py").write_text(APPLICATION)
    container = start(
        "app-example",
        environment={
            "MODULE_NAME": "counting",
            "WORKERS": "2",
            "PROMETHEUS_MULTIPROC_DIR": "/dev/shm/metrics",
        },
        options=(
            *("--volume", f"{folder}:/application_root/prometheus_client:ro"),
            *("--volume", f"{tmp_path}/counting.py:/application_root/counting.py:ro"),
        ),
    )
    # Files appear as each worker counts for the first time; one request was the start's.
    requests = 1

    def both_have_counted() -> bool:
        nonlocal requests
        requests += container.answer() == '"counted"'
        listed = container.run("ls", "/dev/shm/metrics")
        return bool(listed.count("counter_") == 2)

    poll(both_have_counted, "two workers that have counted")
    lines = container.get("/metrics").text.splitlines()
    total = [line for line in lines if line.startswith("requests_total ")]
    assert total == [f"requests_total {requests}.0"]
    for worker in container.worker_pids():
        container.run("kill", str(worker))
    poll(lambda: len(container.worker_pids()) == 2, "other workers")
    poll(lambda: total[0] in (container.answer("/metrics") or ""), "the same count")
