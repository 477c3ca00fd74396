"""The logs of containers: one format, from the first line to the last."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Container, StartContainer, docker, poll


def objects(container: Container) -> list[dict[str, Any]]:
    """What a container has printed, where every line of it is an object."""
    return [dict(json.loads(line)) for line in container.logs().splitlines()]


@pytest.mark.core
def test_json_is_all_that_is_printed(start: StartContainer) -> None:
    container = start("app-example", environment={"LOG_FORMAT": "json"})
    assert container.get("/items/1?q=2").status_code == 200
    assert container.get("/missing").status_code == 404
    docker("stop", container.identity)
    assert container.wait() == 0
    lines = objects(container)
    assert len([line for line in lines if "settings" in line]) == 1
    access = {line["path"]: line["status"] for line in lines if "path" in line}
    assert access["/items/1?q=2"] == 200 and access["/missing"] == 404
    messages = [line["message"] for line in lines]
    assert "Shutting down: Master" in messages


def test_errors_of_the_configuration_are_json(start: StartContainer) -> None:
    variables = {"LOG_FORMAT": "json", "WORKERS": "0", "TIMEOUT": "x"}
    container = start("app-example", environment=variables, served=False)
    assert container.wait() == 3
    lines = objects(container)
    assert [line["message"].partition("=")[0] for line in lines] == [
        "WORKERS",
        "TIMEOUT",
    ]


@pytest.mark.platform
def test_json_with_the_template_s_packages(start: StartContainer) -> None:
    variables = {"LOG_FORMAT": "json", "LOG_LEVEL": "warning"}
    container = start("app-example-modern", environment=variables)
    docker("stop", container.identity)
    assert [sorted(line)[-1] for line in objects(container)] == ["time"]


def test_paths_left_out(start: StartContainer) -> None:
    variables = {"ACCESS_LOG_EXCLUDE": "/items/1"}
    container = start("app-example", environment=variables)
    container.get("/items/1")
    container.get("/items/2")
    poll(lambda: "GET /items/2 " in container.logs(), "the line of the other path")
    assert "/items/1" not in container.logs()
