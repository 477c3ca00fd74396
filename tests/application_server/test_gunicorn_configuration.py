"""The configuration: its table, its errors, and what Gunicorn makes of it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from .conftest import CONFIGURATION_FILE, Server, wait_for
from hypothesis import given
from hypothesis import strategies as st

DEFAULTS = {
    "bind": "0.0.0.0:80",
    "workers": 1,
    "timeout": 30,
    "graceful_timeout": 30,
    "keepalive": 2,
    "loglevel": "info",
    "accesslog": "-",
    "errorlog": "-",
    "reload": False,
    "worker_tmp_dir": "/dev/shm",
}
INVALID = {
    "BIND": ["nonsense", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:65536", "1.2.3.999:80"]
    + ["[::g]:80", "a b:80", "unix:", "fd://x", "0.0.0.0:80,", "::1:80", "-a:80"],
    "WORKERS": ["abc", "0", "-1", "1.5", "1001", "1_0", "٣", "9" * 5000],
    "TIMEOUT": ["-1", "86401", "soon", "1e3"],
    "GRACEFUL_TIMEOUT": ["-1", "86401"],
    "KEEP_ALIVE": ["-1", "2s"],
    "LOG_LEVEL": ["bogus", "trace", "20"],
    "ACCESS_LOG": ["/missing/folder/file", "/tmp", "/tmp/"],
    "ERROR_LOG": ["/missing/folder/file"],
    "RELOAD": ["maybe", "2", "y", "none"],
    "APP_MODULE": ["app/main.py", "app.main:", ":app", "app..main:app", "a b:app"],
}


def run_program(**variables: str) -> subprocess.CompletedProcess[str]:
    """Run the configuration as a program, where no package can be imported."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(CONFIGURATION_FILE)],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_program_prints_the_defaults_as_one_json_object() -> None:
    result = run_program()
    assert (json.loads(result.stdout), result.stderr) == (DEFAULTS, "")
    assert list(json.loads(result.stdout)) == list(DEFAULTS)
    assert result.stdout.count("\n") == 1


def test_program_prints_values_with_their_types(tmp_path: Path) -> None:
    result = run_program(
        BIND=" [::1]:8080, localhost:81 ",
        WORKERS="007",
        TIMEOUT="0",
        GRACEFUL_TIMEOUT="86400",
        KEEP_ALIVE=" 5 ",
        LOG_LEVEL="WARNING",
        ACCESS_LOG="",
        ERROR_LOG=" ",
        RELOAD="Yes",
        WORKER_TMP_DIR=str(tmp_path),
    )
    assert result.stderr == ""
    assert json.loads(result.stdout) == {
        "bind": "[::1]:8080,localhost:81",
        "workers": 7,
        "timeout": 0,
        "graceful_timeout": 86400,
        "keepalive": 5,
        "loglevel": "warning",
        "accesslog": None,
        "errorlog": None,
        "reload": True,
        "worker_tmp_dir": str(tmp_path),
    }


def test_program_reports_every_bad_value_on_a_line_of_its_own() -> None:
    bad = {variable: values[0] for variable, values in INVALID.items()}
    result = run_program(**bad)
    assert (result.returncode, result.stdout) == (3, "")
    lines = result.stderr.splitlines()
    assert len(lines) == len(bad)
    for line, (variable, value) in zip(lines, bad.items()):
        assert line.startswith(f"{variable}={value!r} is not allowed: expected ")


def test_unusable_worker_tmp_dir_falls_back_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in ("/missing", str(tmp_path / "file"), "/proc"):
        result = run_program(WORKER_TMP_DIR=folder)
        assert json.loads(result.stdout)["worker_tmp_dir"] == "/tmp"
        assert result.stderr.count("\n") == 1
        assert repr(folder) in result.stderr


def test_unusable_fallback_is_an_error(
    configuration: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "FALLBACK_WORKER_TMP_DIR", "/missing/too")
    with pytest.raises(configuration.InvalidConfiguration, match="^WORKER_TMP_DIR="):
        configuration.read_settings({"WORKER_TMP_DIR": "/missing"})


@pytest.mark.parametrize(
    ("variable", "value"),
    [(variable, value) for variable, values in INVALID.items() for value in values],
)
def test_values_that_are_not_allowed(
    configuration: ModuleType, variable: str, value: str
) -> None:
    with pytest.raises(configuration.InvalidConfiguration) as raised:
        configuration.read_settings({variable: value})
    assert len(raised.value.args) == 1
    assert "\n" not in raised.value.args[0]


@pytest.mark.parametrize(
    "value",
    ["0.0.0.0:80", ":80", "[::]:80", "a-b.example:65535", "tcp://0.0.0.0:1"]
    + ["unix:/run/app.sock", "unix:app.sock", "fd://3", "a_b:80,fd://0"],
)
def test_addresses_that_are_allowed(configuration: ModuleType, value: str) -> None:
    assert configuration.read_settings({"BIND": value})["bind"] == value


@pytest.mark.parametrize("value", ["main", "app.main:app", "a-b.c:create(1, x='y:z')"])
def test_applications_that_are_allowed(configuration: ModuleType, value: str) -> None:
    assert configuration.read_settings({"APP_MODULE": value})["wsgi_app"] == value


def test_empty_means_off_or_the_default(configuration: ModuleType) -> None:
    empty = {setting.variable: " " for setting in configuration.SETTINGS}
    values = configuration.read_settings(empty)
    expected = {**configuration.read_settings({}), "accesslog": None, "errorlog": None}
    assert values == expected


def test_log_file_is_checked_but_not_created(
    configuration: ModuleType, tmp_path: Path
) -> None:
    path = str(tmp_path / "log")
    assert configuration.parse_log_file(path) == path
    assert os.listdir(tmp_path) == []


@given(st.integers())
def test_whole_numbers_are_those_within_the_bounds(
    configuration: ModuleType, number: int
) -> None:
    parse = configuration.whole_number(-0, 1000).parse
    if 0 <= number <= 1000:
        assert parse(str(number)) == number
    else:
        with pytest.raises(ValueError):
            parse(str(number))


@given(st.data())
def test_switch_knows_its_words_in_any_case(
    configuration: ModuleType, data: st.DataObject
) -> None:
    words = configuration.WORDS_FOR_ON + configuration.WORDS_FOR_OFF
    word = data.draw(st.sampled_from(words))
    mixed = "".join(data.draw(st.sampled_from([c.lower(), c.upper()])) for c in word)
    assert configuration.parse_switch(mixed) is (word in configuration.WORDS_FOR_ON)


@given(st.ip_addresses(), st.integers(1, 65535))
def test_every_ip_address_with_a_port_is_allowed(
    configuration: ModuleType, address: Any, port: int
) -> None:
    host = f"[{address}]" if address.version == 6 else str(address)
    assert configuration.parse_bind(f"{host}:{port}") == f"{host}:{port}"


TEXTS = st.one_of(
    st.text(st.characters(min_codepoint=1, max_codepoint=0x24F)),
    st.from_regex(re.compile(r"[-+0-9a-z.:/,\[\]_ ]*", re.ASCII), fullmatch=True),
)


@given(st.dictionaries(st.sampled_from([*INVALID]), TEXTS))
def test_any_text_is_a_value_or_an_error(
    configuration: ModuleType, environment: dict[str, str]
) -> None:
    try:
        values = configuration.read_settings(environment)
    except configuration.InvalidConfiguration as error:
        assert 1 <= len(error.args) <= len(environment)
        assert all("\n" not in line for line in error.args)
    else:
        assert json.loads(configuration.as_json(values)).keys() == DEFAULTS.keys()


def fake_arbiter(configuration: ModuleType, **changed: Any) -> Any:
    values = {**configuration.gunicorn_settings(configuration.read_settings({}))}
    values.update(bind=["0.0.0.0:80", "[::]:80"], **changed)
    settings = {
        name: SimpleNamespace(get=lambda value=value: value)
        for name, value in values.items()
    }
    return SimpleNamespace(cfg=SimpleNamespace(settings=settings))


def test_settings_are_reported_again_only_if_they_changed(
    configuration: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    arbiter = fake_arbiter(configuration)
    configuration.on_starting(arbiter)
    first = json.loads(capsys.readouterr().out)
    assert first == {**DEFAULTS, "bind": "0.0.0.0:80,[::]:80"}
    configuration.on_reload(arbiter)
    assert capsys.readouterr().out == ""
    arbiter.cfg = fake_arbiter(configuration, errorlog=os.devnull).cfg
    configuration.on_reload(arbiter)
    assert json.loads(capsys.readouterr().out) == {**first, "errorlog": None}


def test_no_name_of_the_module_sets_a_gunicorn_setting_by_accident(
    configuration: ModuleType,
) -> None:
    program = "import gunicorn.config as c; print(*c.Config().settings)"
    command = [sys.executable, "-W", "ignore", "-c", program]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    intended = {setting.name for setting in configuration.SETTINGS}
    intended |= {"worker_class", "on_starting", "on_reload"}
    assert set(names.split()) & set(vars(configuration)) == intended


def test_server_reports_what_is_effective_and_only_once(
    start: Callable[..., Server],
) -> None:
    server = start(
        "--keep-alive",
        "7",
        GUNICORN_CMD_ARGS="--timeout 11 --keep-alive 8",
        WORKERS="2",
        KEEP_ALIVE="9",
        TIMEOUT="10",
        ACCESS_LOG="",
        ERROR_LOG="",
    )
    server.worker_pid()
    server.send(signal.SIGHUP)
    server.send(signal.SIGHUP)
    server.worker_pid()
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    [line] = server.output().splitlines()
    assert json.loads(line) == {
        **DEFAULTS,
        "bind": json.loads(line)["bind"],
        "workers": 2,
        "keepalive": 7,
        "timeout": 11,
        "accesslog": None,
        "errorlog": None,
    }
    assert server.errors() == ""


def test_server_listens_on_all_addresses(start: Callable[..., Server]) -> None:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    server = start(BIND=", ".join(f"127.0.0.1:{port}" for port in ports))
    for server.port in ports:
        assert wait_for(server.body) == "one"
    assert f'"127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"' in server.output()


def test_server_ends_with_status_3_and_without_traceback(
    start: Callable[..., Server],
) -> None:
    server = start(WORKERS="abc", LOG_LEVEL="bogus", TIMEOUT="-1", BIND="nonsense")
    assert server.wait() == 3
    assert server.output() == ""
    lines = server.errors().splitlines()
    names = [line.partition("=")[0] for line in lines]
    assert names == ["BIND", "WORKERS", "TIMEOUT", "LOG_LEVEL"]


def test_server_starts_with_another_application_and_heartbeat_folder(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "app" / "main.py").rename(project / "service.py")
    server = start(APP_MODULE="service:app", WORKER_TMP_DIR="/missing")
    assert wait_for(server.body) == "one"
    assert json.loads(server.output().splitlines()[0])["worker_tmp_dir"] == "/tmp"
    assert "WORKER_TMP_DIR='/missing' is not" in server.errors().splitlines()[0]
