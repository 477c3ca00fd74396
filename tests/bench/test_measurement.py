"""Ratios, the table, and its place in the README."""

from __future__ import annotations

import doctest
from pathlib import Path

import measurement
import pytest
from hypothesis import given
from hypothesis import strategies as st
from measurement import (
    END,
    START,
    BenchError,
    Row,
    alternate,
    heading,
    median,
    poll,
    replaced,
    table,
)


def test_examples() -> None:
    result = doctest.testmod(measurement)
    assert result.attempted and not result.failed


def test_table_shows_figures_ratio_and_aim() -> None:
    rows = [
        Row("size", 50e6, "B", "another", 200e6, "≤ 0.35"),
        Row("nothing to do", 0.25, "s"),
    ]
    lines = table(rows, "Medians.").splitlines()
    assert lines[0] == "Medians."
    assert lines[4] == "| size | 50.0 MB | another: 200 MB | 0.25 | ≤ 0.35 |"
    assert lines[5].startswith("| nothing to do | 0.250 s |")
    assert {line.replace("\\|", "").count("|") for line in lines[2:]} == {6}


def test_runs_take_turns_and_the_first_is_left_out() -> None:
    order = []

    def work(name: str, run: int) -> float:
        order.append((name, run))
        return float(run)

    works = [lambda run, name=name: work(name, run) for name in "abc"]
    figures = alternate(3, *works)
    assert "".join(name for name, _ in order) == "abc" "bca" "cab" "abc"
    assert [run for _, run in order] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert figures == 3 * [[1.0, 2.0, 3.0]]


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_half_of_the_values_are_on_each_side_of_a_median(values: list[float]) -> None:
    middle = median(values)
    assert 2 * sum(value <= middle for value in values) >= len(values)
    assert 2 * sum(value >= middle for value in values) >= len(values)


def test_heading_says_how_many_runs() -> None:
    assert heading(5, 0.5).startswith(
        "Medians of 5, of `docker run` 10, of requests 15;"
    )


def test_counts_are_whole_in_the_table() -> None:
    assert "| built | 7 | | | |" in table([Row("built", 7, "")], "")


def test_poll_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measurement, "DEADLINE", 0.01)
    with pytest.raises(BenchError, match="an answer"):
        poll(lambda: False, "an answer")


@given(st.text(), st.text(), st.text(), st.text())
def test_only_what_is_between_the_markers_is_replaced(
    before: str, after: str, old: str, new: str
) -> None:
    text = f"{before}{START}{old}{END}{after}"
    assert replaced(text, new) == f"{before}{START}\n\n{new}\n\n{END}{after}"


@pytest.mark.parametrize("text", ["", START, END + START, 2 * (START + END)])
def test_without_its_place_nothing_is_replaced(text: str) -> None:
    with pytest.raises(BenchError, match="once each"):
        replaced(text, "figures")


def test_readme_has_the_place() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    assert "figures" in replaced(readme.read_text(), "figures")
