"""The images serve: requests, reload, start and stop."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .conftest import (
    PLATFORMS,
    Container,
    StartContainer,
    docker,
    poll,
    write_application,
)

RELOAD_SECONDS = 2.0


def start_platform(
    start: StartContainer, platform: str, folder: Path, **environment: str
) -> Container:
    """A container of a platform image; the mounted application answers "zero"."""
    write_application(folder, "zero")
    mount = ("--volume", f"{folder}:/application_root/app")
    container: Container = start(platform, environment=environment, options=mount)
    return container


def test_example_answers(start: StartContainer) -> None:
    container = start("app-example")
    response = container.get()
    assert (response.status_code, response.json()) == (200, "Hello World!")
    for number, name in {1: "sausage", 2: "ham", 3: "tofu"}.items():
        assert container.get(f"/items/{number}").json() == name
    assert container.get("/items/4").status_code == 404


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platform_serves_a_mounted_application(
    start: StartContainer, platform: str, platform_application: Path
) -> None:
    container = start_platform(start, platform, platform_application)
    assert container.answer() == "zero"


def test_arguments_are_gunicorn_s(start: StartContainer) -> None:
    container = start("app-example", "--workers", "2")
    poll(lambda: len(container.worker_pids()) == 2, "two workers")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_reload_changes_the_answer_again_and_again(
    start: StartContainer, platform: str, platform_application: Path
) -> None:
    container = start_platform(start, platform, platform_application, RELOAD="True")
    for text in ("one", "two", "three"):
        write_application(platform_application, text)
        written = time.monotonic()
        poll(lambda: container.answer() == text, f"the answer {text}", RELOAD_SECONDS)
        assert time.monotonic() - written < RELOAD_SECONDS


@pytest.mark.parametrize("platform", PLATFORMS)
def test_reload_survives_a_syntax_error(
    start: StartContainer, platform: str, platform_application: Path
) -> None:
    container = start_platform(start, platform, platform_application, RELOAD="True")
    (platform_application / "main.py").write_text("def app(:\n")
    poll(lambda: "SyntaxError" in (container.answer() or ""), "the traceback")
    assert container.get().status_code == 500
    write_application(platform_application, "mended")
    poll(lambda: container.answer() == "mended", "the mended answer", RELOAD_SECONDS)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_without_reload_nothing_reloads(
    start: StartContainer, platform: str, platform_application: Path
) -> None:
    container = start_platform(start, platform, platform_application, RELOAD="False")
    write_application(platform_application, "one")
    end = time.monotonic() + RELOAD_SECONDS
    while time.monotonic() < end:
        assert container.answer() == "zero"
        time.sleep(0.1)


def test_stop_is_prompt_and_clean(start: StartContainer) -> None:
    container = start("app-example")
    docker("stop", container.identity)
    assert container.wait() == 0
    assert "Shutting down" in container.logs()


def test_bad_values_end_with_a_line_each(start: StartContainer) -> None:
    container = start(
        "app-example", environment={"WORKERS": "0", "LOG_LEVEL": "bogus"}, served=False
    )
    assert container.wait() == 3
    lines = container.logs().splitlines()
    assert len(lines) == 2
    assert all(any(name in line for name in ("WORKERS", "LOG_LEVEL")) for line in lines)
