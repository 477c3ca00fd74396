"""The user's configuration file: how it is run, and what Gunicorn makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from .conftest import CONFIGURATION_FILE, Server, load_module, wait_for

HOOKS = """
import os
timeout = 41

def note(event):
    with open("events", "a") as events:
        events.write(f"{event}\\n")

def on_starting(server):
    note("on_starting")

def on_reload(server):
    note("on_reload")

def nworkers_changed(server, new_value, old_value):
    note(f"nworkers_changed {old_value} {new_value}")

def post_fork(server, worker):
    note("post_fork")
"""


@pytest.fixture(scope="module")
def overlay() -> ModuleType:
    """The module that reads the file."""
    module: ModuleType = load_module("configuration_overlay")
    return module


def program(python_options: tuple[str, ...], path: str) -> Any:
    """Run the configuration as a program with a file of the user's own."""
    return subprocess.run(
        [sys.executable, *python_options, str(CONFIGURATION_FILE)],
        env={"GUNICORN_CONF": path},
        capture_output=True,
        text=True,
        check=False,
    )


def timeouts(server: Server) -> list[int]:
    """Return the timeouts that a server has reported, one after the other."""
    lines = [line for line in server.output().splitlines() if line.startswith("{")]
    return [json.loads(line)["timeout"] for line in lines]


def test_settings_are_taken_and_other_names_left(
    overlay: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "conf.py"
    path.write_text(
        "import json\nbind = ['127.0.0.1:81']\nworkers = 3\nsettings = 4\n"
        "wsgi_app = __name__ + ':' + __file__\nwhen_ready = 'os.path.exists'\n"
    )
    assert overlay.read_overlay(str(path)) == {
        "bind": ["127.0.0.1:81"],
        "workers": 3,
        "wsgi_app": f"{overlay.MODULE_NAME}:{path}",
        "when_ready": os.path.exists,
    }
    assert os.listdir(tmp_path) == ["conf.py"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = 1\nb = 1 / 0\n", "fails in line 2: ZeroDivisionError: division by zero"),
        ("\ndef f():\n    g()\n\nf()\n", "fails in line 3: NameError: "),
        ("a = 1\nb = = 2\n", "fails in line 2: SyntaxError: invalid syntax"),
        ("import json\njson.loads('x')\n", "fails in line 2: JSONDecodeError: "),
        ("raise SystemExit(7)\n", "fails in line 1: SystemExit: 7"),
        ("raise ValueError('a\\nb')\n", "fails in line 1: ValueError: a b"),
        ("workers = 'many'\n", "contains workers = 'many': ValueError: "),
        ("def on_starting(a, b): pass\n", "contains on_starting = <function "),
        ("timeout = -1\n", "contains timeout = -1: ValueError: "),
        ("#\0\n", "fails"),
    ],
)
def test_a_file_that_fails_is_one_line(
    overlay: ModuleType, tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "conf.py"
    path.write_text(text)
    with pytest.raises(ValueError) as raised:
        overlay.read_overlay(str(path))
    assert str(raised.value).startswith(reason)
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["missing.py", ".", "x" * 300, "a\0b"])
def test_a_file_that_cannot_be_read_is_one_line(
    overlay: ModuleType, tmp_path: Path, name: str
) -> None:
    with pytest.raises(ValueError, match="^cannot be read: [^\n]+$"):
        overlay.read_overlay(str(tmp_path / name))


@pytest.mark.parametrize("python_options", [(), ("-I", "-S")])
def test_program_shows_the_effect(
    tmp_path: Path, python_options: tuple[str, ...]
) -> None:
    path = tmp_path / "conf.py"
    path.write_text(
        "bind = ['127.0.0.1:81', '[::1]:81']\nworkers = 3\nkeepalive = 9\n"
        "errorlog = '/dev/null'\naccesslog = None\n"
    )
    told = json.loads(program(python_options, str(path)).stdout)
    assert told["bind"] == "127.0.0.1:81,[::1]:81"
    assert (told["workers"], told["keepalive"]) == (3, 9)
    assert (told["accesslog"], told["errorlog"]) == (None, None)


def test_program_shows_values_in_gunicorn_s_form(tmp_path: Path) -> None:
    path = tmp_path / "conf.py"
    path.write_text(
        "from gunicorn.workers.sync import SyncWorker as worker_class\n"
        "workers = '0x10'\nreload = 'true'\nbind = '127.0.0.1:81'\n"
    )
    told = json.loads(program((), str(path)).stdout)
    assert (told["workers"], told["reload"]) == (16, True)
    assert told["worker_class"] == "gunicorn.workers.sync.SyncWorker"


def test_program_tells_what_is_wrong_with_all_else(tmp_path: Path) -> None:
    (tmp_path / "conf.py").write_text("1 / 0\n")
    result = subprocess.run(
        [sys.executable, str(CONFIGURATION_FILE)],
        env={"GUNICORN_CONF": str(tmp_path / "conf.py"), "PORT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (3, "")
    lines = result.stderr.splitlines()
    assert [line.partition("=")[0] for line in lines] == ["PORT", "GUNICORN_CONF"]


@pytest.mark.parametrize("text", ["1 / 0\n", "def (\n", "workers = 'x'\n", None])
def test_server_ends_with_status_3_and_one_line(
    project: Path, start: Callable[..., Server], text: str | None
) -> None:
    if text is not None:
        (project / "conf.py").write_text(text)
    server = start(GUNICORN_CONF="conf.py")
    assert server.wait() == 3
    [line] = server.errors().splitlines()
    assert line.startswith("GUNICORN_CONF='conf.py' ")
    assert server.output() == ""


def test_hooks_run_after_those_of_the_images(
    project: Path, start: Callable[..., Server]
) -> None:
    (project / "conf.py").write_text(HOOKS)
    server = start(GUNICORN_CONF="conf.py", TIMEOUT="40")
    pid = server.worker_pid()
    assert timeouts(server) == [41]
    assert server.events()[:3] == [
        "nworkers_changed None 1",
        "on_starting",
        "post_fork",
    ]
    server.send(signal.SIGHUP)
    wait_for(lambda: server.worker_pid() != pid)
    assert "on_reload" in server.events()
    assert server.events().count("on_starting") == 1


def test_file_is_read_anew_at_sighup(
    project: Path, start: Callable[..., Server]
) -> None:
    path = project / "conf.py"
    path.write_text("timeout = 41\n")
    before = path.stat()
    server = start(GUNICORN_CONF="conf.py")
    server.worker_pid()
    path.write_text("timeout = 42\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    server.send(signal.SIGHUP)
    wait_for(lambda: timeouts(server) == [41, 42])
    path.write_text("timeout = 43\n1 / 0\n")
    server.send(signal.SIGHUP)
    line = "GUNICORN_CONF='conf.py' fails in line 2: "
    line += "ZeroDivisionError: division by zero; the former settings stay"
    wait_for(lambda: line in server.errors().splitlines())
    wait_for(lambda: server.errors().count("Booting worker") == 3)
    assert wait_for(server.body) == "one"
    assert "Traceback" not in server.errors()
    path.write_text("timeout = 44\n")
    server.send(signal.SIGHUP)
    wait_for(lambda: timeouts(server) == [41, 42, 44])
    server.send(signal.SIGTERM)
    assert server.wait() == 0
