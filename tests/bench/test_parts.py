"""Parts that are not asked for cost nothing."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from daemon import MadeImages
from measurement import Row

MAIN = Path(__file__).parents[2] / "bench/__main__.py"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The program, which finds all programs, and notes the peers that it builds."""
    specification = importlib.util.spec_from_file_location("bench_main", MAIN)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    monkeypatch.setitem(importlib.import_module("sys").modules, "bench_main", module)
    specification.loader.exec_module(module)

    @contextmanager
    def no_index(_: Path) -> Iterator[str]:
        yield "http://127.0.0.1:1"

    monkeypatch.setattr(module, "served_index", no_index)
    monkeypatch.setenv("WHEELS", "/nonexistent")
    yield module


def measured(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, has_peers: bool
) -> tuple[str, list[str], list[str]]:
    """A table of one part, the programs it asked for, and the peers' indexes."""
    asked: list[str] = []
    indexes: list[str] = []
    monkeypatch.setattr(bench, "demand", asked.extend)
    monkeypatch.setattr(
        bench.peer, "build_peers", lambda images, index: indexes.append(index)
    )

    def rows(runs: int, images: MadeImages) -> list[Row]:
        return [Row("a figure", runs, "s")]

    part = bench.Part(rows, ("a-program",), has_peers)
    return bench.measure([part], 3, 0.0), asked, indexes


def test_peers_are_built_for_parts_that_have_them(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, asked, indexes = measured(bench, monkeypatch, True)
    assert "| a figure | 3.00 s |" in text
    assert asked == ["a-program", *bench.peer.PROGRAMS]
    assert indexes == ["http://127.0.0.1:1"]


def test_other_parts_need_neither_peers_nor_their_programs(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, asked, indexes = measured(bench, monkeypatch, False)
    assert asked == ["a-program"] and indexes == []


def test_only_sizes_and_starts_have_peers(bench: ModuleType) -> None:
    parts = bench.parts_of(None)
    assert [name for name, part in parts.items() if part.has_peers] == ["size", "start"]
