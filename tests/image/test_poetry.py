"""Poetry in the platform image."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import PLATFORMS, StartContainer


@pytest.mark.parametrize("platform", PLATFORMS)
def test_poetry_uses_the_virtual_environment(
    start: StartContainer, platform_application: Path, platform: str
) -> None:
    container = start(
        platform,
        options=("--volume", f"{platform_application}:/application_root/app"),
    )
    assert container.run("poetry", "--version").startswith("Poetry (version ")
    container.run("poetry", "init", "--no-interaction", "--name", "x")
    assert container.run("poetry", "env", "info", "--path").strip() == (
        "/application_root/.venv"
    )


@pytest.mark.parametrize("platform", PLATFORMS)
def test_poetry_can_ask_a_mirror_of_the_index(
    start: StartContainer, platform_application: Path, platform: str
) -> None:
    container = start(
        platform,
        options=("--volume", f"{platform_application}:/application_root/app:ro"),
    )
    assert "poetry-plugin-pypi-mirror" in container.run(
        "poetry", "self", "show", "plugins"
    )
