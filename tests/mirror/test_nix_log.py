"""What a log of Nix says; the logs in support/nix_log are those of real ones."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nix_log import BUILD, PREFIX, Answer

LOGS = Path(__file__).parent / "support/nix_log"

# Those of support/nix_log/example.nix.
THING = "/nix/store/2by1yx4s2ysgs3ynay33zf1ns40cvr4h-thing.drv"
ABSENT = "/nix/store/0kaaq24bk3b47csn02gyd330ll5hzn76-absent.drv"
UNKNOWN = "/nix/store/00000000000000000000000000000000-unknown.drv"


def answer(log: str, status: int = 0) -> Answer:
    return Answer.of(subprocess.CompletedProcess([], status, "", log))


def read_log(version: str, name: str) -> str:
    return (LOGS / version / f"{name}.log").read_text(encoding="utf-8")


every_version = pytest.mark.parametrize("version", ["2.8", "2.26"])


@every_version
def test_what_a_cache_has_is_not_unbuilt(version: str) -> None:
    found = answer(read_log(version, "build"))
    assert (found.evaluated, found.unbuilt) == (True, [ABSENT, THING])
    assert found.started == []
    assert answer(read_log(version, "cached")).unbuilt == []


@every_version
def test_what_derivations_need(version: str) -> None:
    assert answer(read_log(version, "realise")).unbuilt == [ABSENT, THING, UNKNOWN]


@every_version
def test_what_an_evaluation_began_to_build(version: str) -> None:
    found = answer(read_log(version, "evaluation"), 1)
    assert (found.evaluated, found.unbuilt) == (False, [])
    names = [path.partition("-")[2] for path in found.started]
    assert sorted(names) == ["first.drv", "second.drv", "third.drv"]


@every_version
def test_messages_for_the_user(version: str) -> None:
    found = answer(read_log(version, "broken"), 1)
    assert (found.unbuilt, found.started) == ([], [])
    assert found.message.startswith("error:")
    assert found.message.endswith("thrown\n")
    assert "\x1b" not in found.message


def line(**record: Any) -> str:
    return f"{PREFIX}{json.dumps(record)}\n"


def test_what_others_print_names_no_derivations() -> None:
    log = (
        "  /nix/store/0-git.drv\n"
        + line(action="msg", msg="error: no\n  /nix/store/0-builder.drv")
        + line(action="msg", msg="trace:   /nix/store/0-trace.drv")
        + line(action="result", type=BUILD, fields=["/nix/store/0-result.drv"])
        + line(action="start", type=101, fields=["/nix/store/0-download.drv"])
        + line(action="msg", msg="\x1b[1m  /nix/store/0-a.drv\x1b[0m")
        + line(action="start", type=BUILD, fields=["/nix/store/0-b.drv", "", 1, 1])
    )
    found = answer(log)
    assert found.unbuilt == ["/nix/store/0-a.drv"]
    assert found.started == ["/nix/store/0-b.drv"]
    assert found.message.startswith("  /nix/store/0-git.drv\nerror: no\n")


@pytest.mark.parametrize(
    "log",
    [
        *("@nix {", "@nix []", "@nix " + "[" * 100_000, "@nix 5"),
        line(action="start", type=BUILD),
        line(action="start", type=BUILD, fields={"a": 1}),
    ],
)
def test_broken_records(log: str) -> None:
    found = answer(log)
    assert (found.unbuilt, found.started) == ([], [])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = st.sampled_from(["action", "msg", "type", "fields"])


@given(st.dictionaries(KEYS, VALUES | st.sampled_from(["msg", "start", BUILD])))
def test_any_record_is_read(record: dict[str, Any]) -> None:
    found = answer(line(**record))
    assert all(isinstance(path, str) for path in [*found.unbuilt, *found.started])
