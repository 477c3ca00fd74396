"""Stages of a Dockerfile that are not needed are left out."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import stages
from measurement import BenchError
from stages import needed_stages


def test_examples() -> None:
    result = doctest.testmod(stages)
    assert result.attempted and not result.failed


def test_production_needs_no_tests() -> None:
    file = Path(__file__).parents[2] / "app-example/Dockerfile"
    text = needed_stages(file.read_text(), "production")
    assert text.startswith(file.read_text().partition("FROM")[0])
    wanted = [" AS dependencies", " AS production"]
    froms = [line for line in text.splitlines() if line.startswith("FROM")]
    assert [line[line.index(" AS ") :] for line in froms] == wanted
    assert "tests" not in text and "COPY --chown=1001:0 app app" in text


def test_stages_that_are_copied_from_are_needed() -> None:
    text = (
        "ARG X=1\nFROM x AS a\nRUN a\nFROM x\nRUN b\n"
        "FROM --platform=linux/amd64 y as c\nCOPY --chown=1 --from=a /a /a\n"
    )
    assert needed_stages(text, "c") == text.replace("FROM x\nRUN b\n", "")


def test_a_stage_that_is_not_there_is_told() -> None:
    with pytest.raises(BenchError, match="no stage b in"):
        needed_stages("FROM x AS a\n", "b")
