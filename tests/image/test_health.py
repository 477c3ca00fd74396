"""The images' HEALTHCHECK: Docker learns how the server is."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from .archive import Image
from .conftest import Container, StartContainer, poll

PROGRAM = ("python", "-IS", "/application_server/health_check.py")
QUICK = ("--health-interval", "1s", "--health-retries", "1", "--health-timeout", "5s")
SECOND = 1_000_000_000


def health(container: Container) -> str:
    """What Docker thinks of a container: starting, healthy or unhealthy."""
    return str(container.state["Health"]["Status"])


def test_images_that_serve_have_a_health_check(archives: Mapping[str, Image]) -> None:
    for name, image in archives.items():
        check = image.configuration["config"]["Healthcheck"]
        if name.endswith(("-test", "-black")):
            assert check == {"Test": ["NONE"]}
        else:
            assert check == {
                "Test": ["CMD", *PROGRAM],
                "Interval": 30 * SECOND,
                "Timeout": 10 * SECOND,
                "StartPeriod": 30 * SECOND,
                "Retries": 3,
            }


def test_healthy_then_unhealthy(start: StartContainer) -> None:
    container = start("app-example", options=(*QUICK, "--health-start-period", "0s"))
    poll(lambda: health(container) == "healthy", "health")
    assert container.run(*PROGRAM).startswith(
        "healthy: GET / of 0.0.0.0:80: status 200"
    )
    (worker,) = container.worker_pids()
    container.run("kill", "-STOP", str(worker))
    variables = ("env", "HEALTH_CHECK_TIMEOUT=1")
    assert "no answer within 1 s" in container.run(*variables, *PROGRAM, check=False)
    poll(lambda: health(container) == "unhealthy", "the opposite of health")
    container.run("kill", "-CONT", str(worker))
    poll(lambda: health(container) == "healthy", "health again")


@pytest.mark.parametrize(
    ("arguments", "variables", "address"),
    [
        (("--bind", "127.0.0.1:81"), {}, "127.0.0.1:81"),
        ((), {"GUNICORN_CMD_ARGS": "-b unix:/tmp/socket"}, "unix:/tmp/socket"),
        ((), {"HOST": "::", "PORT": "8080"}, "[::]:8080"),
    ],
)
def test_wherever_the_server_listens(
    start: StartContainer,
    arguments: tuple[str, ...],
    variables: dict[str, str],
    address: str,
) -> None:
    container = start("app-example", *arguments, environment=variables, served=False)
    poll(lambda: "startup complete" in container.logs(), "the server")
    assert f"of {address}: status 200" in container.run(*PROGRAM, check=False)


@pytest.mark.platform
def test_the_template_s_python_checks_as_well(start: StartContainer) -> None:
    container = start("app-example-modern")
    assert container.run(*PROGRAM).startswith("healthy: ")
