"""Log lines: whatever a record holds, JSON is one object on one line."""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from datetime import datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from .conftest import load_module
from hypothesis import given
from hypothesis import strategies as st

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


@pytest.fixture(scope="module")
def lines() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("log_lines")
    return module


def record(message: object, *arguments: object, **extra: object) -> logging.LogRecord:
    """Return a record of an application's logger."""
    made = logging.LogRecord("app", logging.INFO, "", 0, message, arguments, None)
    vars(made).update(extra)
    return made


class Unprintable:
    """An object whose text is an error."""

    def __repr__(self) -> str:
        raise ValueError("no text")


def test_text_has_time_process_level_and_logger(lines: ModuleType) -> None:
    text = lines.TextFormatter().format(record("%s is %d", "one", 1))
    assert re.fullmatch(rf"{TIME} \[\d+\] \[INFO\] app: one is 1", text)


def test_time_is_the_record_s(lines: ModuleType) -> None:
    made = record("now")
    for created in (made.created, 1_625_140_800.9996, 0.0):
        made.created = created
        told = datetime.fromisoformat(lines.time_of(made))
        assert told.utcoffset() is not None
        assert 0 <= created - told.timestamp() < 0.001001


def test_json_has_the_members(lines: ModuleType) -> None:
    told = json.loads(lines.JsonFormatter().format(record("%s", "one", user=7)))
    assert re.fullmatch(TIME, told.pop("time"))
    assert isinstance(told.pop("process"), int)
    assert told == {"level": "info", "logger": "app", "message": "one", "user": 7}


def test_json_has_a_traceback_on_the_same_line(lines: ModuleType) -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        made = record("failed")
        made.exc_info = sys.exc_info()
    made.stack_info = "Stack:\nline"
    line = lines.JsonFormatter().format(made)
    told = json.loads(line)
    assert "\n" not in line
    assert told["traceback"].startswith("Traceback (most recent call last):\n")
    assert told["traceback"].endswith("\nValueError: first\nsecond")
    assert told["stack"] == "Stack:\nline"
    text = lines.TextFormatter().format(made)
    assert text.endswith("\nValueError: first\nsecond\nStack:\nline")


def test_arguments_that_do_not_fit_are_told(lines: ModuleType) -> None:
    for formatter in (lines.TextFormatter(), lines.JsonFormatter()):
        assert "%d and %d ('one',)" in formatter.format(record("%d and %d", "one"))


def test_what_json_does_not_have_becomes_a_text(lines: ModuleType) -> None:
    circle: list[Any] = []
    circle.append(circle)
    extra = {"nan": float("nan"), "odd": Unprintable(), "circle": circle, "time": 1}
    told = json.loads(lines.JsonFormatter().format(record("x", **extra)))
    assert told["nan"] == "nan"
    assert told["odd"] == "<Unprintable that cannot be printed>"
    assert told["circle"] == "[[...]]"
    assert told["time_"] == 1
    assert re.fullmatch(TIME, told["time"])


SINGLE = st.one_of(st.none(), st.floats(), st.text(), st.binary(), st.integers())
VALUES = SINGLE | st.lists(SINGLE) | st.dictionaries(SINGLE, SINGLE)


@given(st.text(), st.dictionaries(st.text(min_size=1), VALUES))
def test_every_record_is_one_object_on_one_line(
    lines: ModuleType, message: str, extra: dict[str, Any]
) -> None:
    made = record(message)
    extra = {name: value for name, value in extra.items() if name not in vars(made)}
    vars(made).update(extra)
    line = lines.JsonFormatter().format(made)
    assert len(line.splitlines()) == 1
    assert json.loads(line)["message"] == message.strip()


@pytest.mark.parametrize("name", ["uvicorn.access", "gunicorn.access"])
def test_access_lines_have_their_values_as_members(
    lines: ModuleType, name: str
) -> None:
    made = record('%s - "%s %s HTTP/%s" %d', "::1", "GET", "/a?b", "1.1", 200)
    made.name = name
    told = json.loads(lines.JsonFormatter().format(made))
    assert told["message"] == '::1 - "GET /a?b HTTP/1.1" 200'
    values = [told[member] for member in lines.ACCESS_FIELDS]
    assert values == ["::1", "GET", "/a?b", "1.1", 200]


def test_format_is_asked_of_the_variable(lines: ModuleType) -> None:
    for value in ("json", " JSON "):
        assert isinstance(lines.formatter({"LOG_FORMAT": value}), lines.JsonFormatter)
    for variables in ({}, {"LOG_FORMAT": "text"}, {"LOG_FORMAT": ""}):
        assert isinstance(lines.formatter(variables), lines.TextFormatter)


def test_own_lines_in_both_forms(
    lines: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("LOG_FORMAT", raising=False)
    lines.tell("it fails")
    assert capsys.readouterr().err == "it fails\n"
    monkeypatch.setenv("LOG_FORMAT", "json")
    lines.tell("it fails", logging.WARNING, sys.stdout, why="so")
    told = json.loads(capsys.readouterr().out)
    assert (told["message"], told["level"]) == ("it fails", "warning")
    assert (told["logger"], told["why"]) == ("application_server", "so")


def test_exceptions_that_nobody_catches(
    lines: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    lines.take_over_hooks()
    error = ValueError("bad")
    sys.excepthook(ValueError, error, None)
    threading.excepthook(
        threading.ExceptHookArgs((ValueError, error, None, threading.current_thread()))
    )
    threading.excepthook(threading.ExceptHookArgs((SystemExit, None, None, None)))
    sys.unraisablehook(
        SimpleNamespace(
            exc_type=ValueError,
            exc_value=error,
            exc_traceback=None,
            err_msg=None,
            object="it",
        )
    )
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in told] == [
        "Unhandled exception",
        "Unhandled exception in thread MainThread",
        "Exception ignored in: it",
    ]
    assert {line["traceback"] for line in told} == {"ValueError: bad"}
