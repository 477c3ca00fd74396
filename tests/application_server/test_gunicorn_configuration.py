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
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

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
    "worker_class": "application_worker.ApplicationWorker",
    "max_requests": 0,
    "max_requests_jitter": 0,
    "forwarded_allow_ips": "127.0.0.1",
}
INVALID = {
    "BIND": ["nonsense", "0.0.0.0", "0.0.0.0:0", "0.0.0.0:65536", "1.2.3.999:80"]
    + ["[::g]:80", "a b:80", "unix:", "fd://x", "0.0.0.0:80,", "::1:80", "-a:80"],
    "HOST": [
        "a b",
        "a..b",
        "1.2.3.999",
        "::g",
        "[::1",
        "[host]",
        "::1%lo",
        "-a",
        "a,b",
    ],
    "PORT": ["0", "65536", "http", "80.0", "-1", "tcp://10.0.0.1:80"],
    "WORKERS": ["abc", "0", "-1", "1.5", "1001", "1_0", "٣", "9" * 5000],
    "WEB_CONCURRENCY": ["abc", "0", "1001"],
    "TIMEOUT": ["-1", "86401", "soon", "1e3"],
    "GRACEFUL_TIMEOUT": ["-1", "86401"],
    "KEEP_ALIVE": ["-1", "2s"],
    "LOG_LEVEL": ["bogus", "trace", "20"],
    "ACCESS_LOG": ["/missing/folder/file", "/tmp", "/tmp/"],
    "ERROR_LOG": ["/missing/folder/file"],
    "LOG_FORMAT": ["xml", "json,text", "j son"],
    "ACCESS_LOG_EXCLUDE": ["health", "/a,", "/a b", "/\u00e4"],
    "RELOAD": ["maybe", "2", "y", "none"],
    "WORKER_CLASS": ["a b", "bogus", "missing.module.Worker", "os.missing", "."]
    + ["os.path", "os.getcwd", "egg:missing#sync"],
    "MAX_REQUESTS": ["-1", "many", "1e9", "1000000000"],
    "MAX_REQUESTS_JITTER": ["-1", "10%"],
    "FORWARDED_ALLOW_IPS": ["localhost", "127.0.0.1,", "10.0.0.1/8", "1.2.3", "::1%lo"],
    "APP_MODULE": ["app/main.py", "app.main:", ":app", "app..main:app", "a b:app"],
    "MODULE_NAME": ["app/main", "app.main:app", "app.", ".app", "a b"],
    "VARIABLE_NAME": [":app", "a\nb"],
    "GUNICORN_CONF": ["/missing/conf.py", "/"],
    "PRE_START_PATH": ["/missing/hook", "/", "/etc/passwd"],
    "HEALTH_CHECK_PATH": ["health", "/a b", "http://localhost/"],
    "HEALTH_CHECK_TIMEOUT": ["0", "-1", "0.5", "3601"],
    "PROMETHEUS_MULTIPROC_DIR": ["metrics", "/etc/passwd", "/a\0b"],
}
REASONS = ("is not allowed: ", "cannot be loaded: ", "cannot be read: ")


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
        WORKER_CLASS="gthread",
        MAX_REQUESTS="1000",
        MAX_REQUESTS_JITTER="50",
        FORWARDED_ALLOW_IPS="10.0.0.1 , 0:0::1",
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
        "worker_class": "gthread",
        "max_requests": 1000,
        "max_requests_jitter": 50,
        "forwarded_allow_ips": "10.0.0.1,::1",
    }


def test_program_reports_every_bad_value_on_a_line_of_its_own() -> None:
    bad = {variable: values[0] for variable, values in INVALID.items()}
    result = run_program(**bad)
    assert (result.returncode, result.stdout) == (3, "")
    lines = result.stderr.splitlines()
    assert len(lines) == len(bad)
    for line, (variable, value) in zip(lines, bad.items()):
        start = f"{variable}={value!r} "
        assert line.startswith(start)
        assert line[len(start) :].startswith(REASONS)


def test_every_variable_has_values_that_are_not_allowed(
    configuration: ModuleType,
) -> None:
    variables = [setting.variable for setting in configuration.SETTINGS]
    assert sorted(variables) == sorted([*INVALID, "WORKER_TMP_DIR"])


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


@pytest.mark.parametrize(
    ("environment", "bind"),
    [
        ({"PORT": "8080"}, "0.0.0.0:8080"),
        ({"HOST": "::"}, "[::]:80"),
        ({"HOST": "[::1]", "PORT": "81"}, "[::1]:81"),
        ({"HOST": "localhost", "BIND": ""}, "localhost:80"),
        ({"HOST": "10.0.0.1", "BIND": " 0.0.0.0:80 "}, "10.0.0.1:80"),
        ({"HOST": " ", "PORT": ""}, "0.0.0.0:80"),
        ({"HOST": "10.0.0.1", "PORT": "82", "BIND": "unix:a"}, "unix:a"),
        ({"PORT": "82", "BIND": ":80"}, ":80"),
    ],
)
def test_host_and_port_count_without_bind(
    configuration: ModuleType, environment: dict[str, str], bind: str
) -> None:
    assert configuration.read_settings(environment)["bind"] == bind


@pytest.mark.parametrize(
    ("environment", "workers"),
    [
        ({"WEB_CONCURRENCY": "4"}, 4),
        ({"WEB_CONCURRENCY": "4", "WORKERS": "1"}, 4),
        ({"WEB_CONCURRENCY": "4", "WORKERS": " "}, 4),
        ({"WEB_CONCURRENCY": "4", "WORKERS": "2"}, 2),
        ({"WEB_CONCURRENCY": "", "WORKERS": ""}, 1),
    ],
)
def test_web_concurrency_counts_without_workers(
    configuration: ModuleType, environment: dict[str, str], workers: int
) -> None:
    assert configuration.read_settings(environment)["workers"] == workers


@pytest.mark.parametrize(
    ("environment", "application"),
    [
        ({"MODULE_NAME": "a.b"}, "a.b:app"),
        ({"VARIABLE_NAME": "create(1, x='y')"}, "app.main:create(1, x='y')"),
        ({"MODULE_NAME": "a", "VARIABLE_NAME": "b", "APP_MODULE": ""}, "a:b"),
        ({"MODULE_NAME": "a", "APP_MODULE": "app.main:app"}, "app.main:app"),
        ({"MODULE_NAME": "a", "VARIABLE_NAME": "b", "APP_MODULE": "c:d"}, "c:d"),
    ],
)
def test_module_and_variable_count_without_app_module(
    configuration: ModuleType, environment: dict[str, str], application: str
) -> None:
    assert configuration.read_settings(environment)["wsgi_app"] == application


def test_overruled_variables_are_checked_too(configuration: ModuleType) -> None:
    environment = {"BIND": "unix:a", "PORT": "x", "WORKERS": "2"}
    with pytest.raises(configuration.InvalidConfiguration, match="^PORT='x' "):
        configuration.read_settings(environment)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("*", "*"),
        ("10.0.0.1, *", "*"),
        ("10.0.0.1 ,10.0.0.2", "10.0.0.1,10.0.0.2"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("::ffff:7f00:1", "::ffff:127.0.0.1"),
    ],
)
def test_proxies_are_written_as_the_system_does(
    configuration: ModuleType, text: str, value: str
) -> None:
    settings = configuration.read_settings({"FORWARDED_ALLOW_IPS": text})
    assert settings["forwarded_allow_ips"] == value


def test_networks_are_allowed_where_uvicorn_takes_them(
    configuration: ModuleType,
) -> None:
    middleware = ProxyHeadersMiddleware(None, ["10.0.0.0/8"])
    are_taken = "10.1.2.3" in middleware.trusted_hosts
    assert configuration.uvicorn_takes_networks() == are_taken
    environment = {"FORWARDED_ALLOW_IPS": "10.0.0.0/8,fd00::/8"}
    if are_taken:
        settings = configuration.read_settings(environment)
        assert settings["forwarded_allow_ips"] == "10.0.0.0/8,fd00::/8"
    else:
        with pytest.raises(
            configuration.InvalidConfiguration, match="Uvicorn 0.31 or newer"
        ):
            configuration.read_settings(environment)


@pytest.mark.parametrize(
    "value", ["sync", "gthread", "gunicorn.workers.sync.SyncWorker"]
)
def test_worker_classes_that_are_allowed(configuration: ModuleType, value: str) -> None:
    settings = configuration.read_settings({"WORKER_CLASS": value})
    assert settings["worker_class"] == value


def test_worker_class_of_the_images_is_not_loaded_in_advance(
    configuration: ModuleType,
) -> None:
    kind = configuration.WORKER_CLASS._replace(parse=pytest.fail)
    [row] = [row for row in configuration.SETTINGS if row.variable == "WORKER_CLASS"]
    read = configuration.read_variables({}, [row._replace(kind=kind)])
    assert read.values == {"WORKER_CLASS": "application_worker.ApplicationWorker"}


def test_default_pre_start_hook_may_be_absent(
    configuration: ModuleType, tmp_path: Path
) -> None:
    [row] = [row for row in configuration.SETTINGS if row.variable == "PRE_START_PATH"]
    path = tmp_path / "prestart.sh"
    row = row._replace(default=str(path))
    assert configuration.read_variables({}, [row]).values["PRE_START_PATH"] is None
    given = {"PRE_START_PATH": str(path)}
    with pytest.raises(configuration.InvalidConfiguration, match="no such file"):
        configuration.read_variables(given, [row])
    path.touch()
    with pytest.raises(configuration.InvalidConfiguration, match="chmod"):
        configuration.read_variables({}, [row])
    path.chmod(0o755)
    for environment in ({}, given, {"PRE_START_PATH": " "}):
        read = configuration.read_variables(environment, [row])
        assert read.values["PRE_START_PATH"] == str(path)


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


@given(st.dictionaries(st.sampled_from([*INVALID, "WORKER_TMP_DIR"]), TEXTS))
def test_any_text_is_a_value_or_an_error(
    configuration: ModuleType, environment: dict[str, str]
) -> None:
    try:
        values = configuration.read_settings(environment)
    except configuration.InvalidConfiguration as error:
        assert 1 <= len(error.args) <= len(environment)
        assert all("\n" not in line for line in error.args)
    else:
        assert values.keys() == DEFAULTS.keys() | {"wsgi_app"}
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
    intended = {setting.name for setting in configuration.GUNICORN_SETTINGS}
    intended |= {"on_starting", "on_reload", "nworkers_changed", "child_exit"}
    intended |= {"logger_class"}
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


def test_server_without_an_application_says_so_in_one_line(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "app").rename(project / "other")
    (project / "empty").mkdir()
    place = f"in {project}: mount or copy"
    for arguments, variables, told in (
        ((), {}, f"(app/main.py) {place} the folder app to {project}/app, or set"),
        (("--preload",), {"LOG_LEVEL": "debug"}, "app.main (app/main.py)"),
        (("--preload",), {"WORKER_CLASS": "sync"}, "app.main (app/main.py)"),
        (("elsewhere:app",), {}, "or name another one as the argument"),
        ((), {"APP_MODULE": "elsewhere"}, f"(elsewhere.py) {place} elsewhere.py to"),
        ((), {"MODULE_NAME": "other.thing"}, "has no thing.py: mount or copy it there"),
        ((), {"MODULE_NAME": "empty.main"}, f"empty ({project}/empty) has no main.py"),
        (("--chdir", "empty"), {}, f"in {project}/empty: mount or copy the folder app"),
        ((), {"WORKERS": "3", "WORKER_CLASS": "gthread"}, "(app/main.py)"),
    ):
        server = start("--pid", str(project / "pid"), *arguments, **variables)
        assert server.wait() == 3
        [line] = server.errors().splitlines()
        if variables.get("LOG_LEVEL") != "debug":
            assert server.output() == ""
        assert line.startswith("no application: there is no module ")
        assert told in line
        assert not (project / "pid").exists()


def test_file_of_the_user_is_named_where_it_names_the_application(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "conf.py").write_text("wsgi_app = 'elsewhere:app'\n")
    server = start(GUNICORN_CONF="conf.py")
    assert server.wait() == 3
    assert server.errors().endswith(", or change wsgi_app in GUNICORN_CONF\n")


def test_with_reload_the_server_waits_for_the_application(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "app").rename(project / "later")
    server = start(RELOAD="True")
    wait_for(lambda: "No module named" in server.body())
    assert server.errors().startswith("no application: there is no module app.main ")
    (project / "later").rename(project / "app")
    assert wait_for(lambda: server.body() == "one")


def test_with_reload_gunicorn_s_own_workers_do_not_wait(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "app").rename(project / "later")
    server = start(RELOAD="True", WORKER_CLASS="sync")
    assert server.wait() == 3
    assert len(server.errors().splitlines()) == 1


WSGI_APPLICATION = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"wsgi"]
"""


@pytest.mark.parametrize("value", ["sync", "gthread"])
def test_worker_class_of_gunicorn_s_own(
    project: Path, start: Callable[..., Server], value: str
) -> None:
    (project / "service.py").write_text(WSGI_APPLICATION)
    server = start(WORKER_CLASS=value, MODULE_NAME="service")
    assert wait_for(server.body) == "wsgi"
    assert json.loads(server.output().splitlines()[0])["worker_class"] == value


def test_server_with_an_unusable_worker_class_ends_with_one_line(
    start: Callable[..., Server],
) -> None:
    server = start(WORKER_CLASS="missing.module.Worker", PORT="x")
    assert server.wait() == 3
    lines = server.errors().splitlines()
    assert lines == [
        "PORT='x' is not allowed: expected a port from 1 to 65535",
        "WORKER_CLASS='missing.module.Worker' cannot be loaded: "
        "ModuleNotFoundError: No module named 'missing'",
    ]


def test_web_concurrency_of_gunicorn_s_own_reading(
    start: Callable[..., Server],
) -> None:
    for text in ("abc", ""):
        server = start(WEB_CONCURRENCY=text)
        assert server.wait() == 1
        assert "ValueError: invalid literal for int()" in server.errors()
