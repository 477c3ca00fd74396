"""Poetry in the platform image."""

from __future__ import annotations

from pathlib import Path

from .conftest import StartContainer


def test_poetry_uses_the_virtual_environment(
    start: StartContainer, platform_application: Path
) -> None:
    container = start(
        "platform",
        options=("--volume", f"{platform_application}:/application_root/app"),
    )
    assert container.run("poetry", "--version").startswith("Poetry (version ")
    container.run("poetry", "init", "--no-interaction", "--name", "x")
    assert container.run("poetry", "env", "info", "--path").strip() == (
        "/application_root/.venv"
    )
