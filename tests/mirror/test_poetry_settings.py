"""Poetry is told which index to ask."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import package_index
import poetry_settings
import pytest


def given_index(monkeypatch: pytest.MonkeyPatch, roots: list[str], cert: Any) -> None:
    """Stand in for pip's configuration."""
    index = SimpleNamespace(roots=roots, options=SimpleNamespace(cert=cert))
    monkeypatch.setattr(package_index, "Index", lambda base: index)


def test_the_first_index_and_the_certificates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificates = tmp_path / "company.crt"
    certificates.touch()
    roots = ["http://first.test/simple/", "http://second.test/simple"]
    given_index(monkeypatch, roots, str(certificates))
    assert poetry_settings.environment({}) == {
        "POETRY_PYPI_MIRROR_URL": "http://first.test/simple",
        "REQUESTS_CA_BUNDLE": str(certificates),
    }


def test_what_the_user_has_set_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(poetry_settings, "SYSTEM_CERTIFICATES", tmp_path)
    given_index(monkeypatch, ["http://first.test/simple"], None)
    base = {"POETRY_PYPI_MIRROR_URL": "http://own.test", "REQUESTS_CA_BUNDLE": ""}
    assert poetry_settings.environment(base) == {"REQUESTS_CA_BUNDLE": str(tmp_path)}


def test_without_an_index_nothing_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(poetry_settings, "SYSTEM_CERTIFICATES", tmp_path / "none")
    given_index(monkeypatch, [], None)
    assert poetry_settings.environment({}) == {}
