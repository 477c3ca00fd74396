"""The README's tables are what the configuration file reads, and what really wins."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest
from .conftest import Server, wait_for

README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(
    r"^\| `([A-Z_]+)` \| (?:`([^`]*)`|none) \| (?:\[(\w+)\]|–)", re.MULTILINE
)
CHAIN_HEADING = "| setting | what wins, highest first |\n|---|---|\n"

ARGUMENTS = "arguments of `docker run`"
COMMAND_ARGUMENTS = "`GUNICORN_CMD_ARGS`"
FILE = "`GUNICORN_CONF`"
HOST_AND_PORT = "`HOST` and `PORT`"
MODULE_AND_VARIABLE = "`MODULE_NAME` and `VARIABLE_NAME`"
OWN_VARIABLE = "its variable"

FLAGS = {
    "keepalive": "--keep-alive",
    "loglevel": "--log-level",
    "accesslog": "--access-logfile",
    "errorlog": "--error-logfile",
}
LEVEL_APPLICATION = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        for _ in range(2):
            message = await receive()
            await send({"type": message["type"] + ".complete"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": __name__.encode()})
"""
WORKER_CLASSES = """
from application_worker import ApplicationWorker
for number in range(4):
    globals()[f"Worker{number}"] = type(f"Worker{number}", (ApplicationWorker,), {})
"""


class Chain(NamedTuple):
    """A row of the README's second table."""

    setting: str
    sources: tuple[str, ...]


def chains() -> list[Chain]:
    """Return the rows of the table of what wins over what."""
    table = README.read_text("utf-8").partition(CHAIN_HEADING)[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [Chain(setting, tuple(text.split(" > "))) for setting, text in rows]


class Given:
    """What a server is started with, put together from several sources."""

    def __init__(self) -> None:
        self.arguments: list[str] = []
        self.command_arguments: list[str] = []
        self.lines: list[str] = []
        self.variables: dict[str, str] = {}

    def flag(self, name: str, value: Any) -> list[str]:
        """Return a setting as Gunicorn's command line has it."""
        flag = FLAGS.get(name, "--" + name.replace("_", "-"))
        return [flag] if value is True else [flag, str(value)]

    def give(self, source: str, variable: str, name: str, value: Any) -> None:
        """Let one source have a value for one setting."""
        if source == ARGUMENTS and name == "wsgi_app":
            self.arguments.append(value)
        elif source == ARGUMENTS:
            self.arguments += self.flag(name, value)
        elif source == COMMAND_ARGUMENTS:
            self.command_arguments += self.flag(name, value)
        elif source == FILE:
            self.lines.append(f"{name} = {value!r}\n")
        elif source == HOST_AND_PORT:
            self.variables["HOST"], self.variables["PORT"] = value.split(":")
        elif source == MODULE_AND_VARIABLE:
            names = value.split(":")
            self.variables["MODULE_NAME"], self.variables["VARIABLE_NAME"] = names
        elif source == OWN_VARIABLE:
            self.variables[variable] = str(value)
        else:
            [variable] = re.fullmatch("`([A-Z_]+)`", source).groups()  # type: ignore
            self.variables[variable] = str(value)

    def start(self, start: Callable[..., Server], project: Path) -> Server:
        """Start a server with all that was given."""
        if self.lines:
            (project / "conf.py").write_text("".join(self.lines))
            self.variables["GUNICORN_CONF"] = "conf.py"
        command_arguments = " ".join(self.command_arguments)
        variables = {"GUNICORN_CMD_ARGS": command_arguments, **self.variables}
        return start(*self.arguments, **variables)


def reported(server: Server) -> dict[str, Any]:
    """Return the settings that a server says it has."""
    lines = wait_for(lambda: server.output().splitlines())
    return dict(json.loads(lines[0]))


def free_addresses(number: int) -> list[str]:
    """Return addresses of the loopback interface that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    addresses = ["%s:%d" % listener.getsockname() for listener in sockets]
    for listener in sockets:
        listener.close()
    return addresses


CHAINS = chains()
STEPS = [(chain, step) for chain in CHAINS for step in range(len(chain.sources))]
SPECIAL_SETTINGS = ("bind", "workers", "wsgi_app")


def steps_of(name: str) -> pytest.MarkDecorator:
    """Parametrise a test over the sources of one row, the highest first."""
    steps = [(c.sources, step) for c, step in STEPS if c.setting == name]
    assert steps, f"no row for {name}"
    return pytest.mark.parametrize(("sources", "step"), steps)


def test_table_of_variables(configuration: ModuleType) -> None:
    told = {row[0]: (row[1], row[2]) for row in ROW.findall(README.read_text("utf-8"))}
    read = {row.variable: (row.default, row.name) for row in configuration.SETTINGS}
    assert told == read


def test_each_row_of_what_wins_is_tested(configuration: ModuleType) -> None:
    above = {ARGUMENTS, COMMAND_ARGUMENTS, FILE}
    assert {chain.setting: set(chain.sources) for chain in CHAINS} == {
        "`bind`": above | {"`BIND`", HOST_AND_PORT},
        "`workers`": above | {"`WORKERS`", "`WEB_CONCURRENCY`"},
        "`wsgi_app`": {ARGUMENTS, FILE, "`APP_MODULE`", MODULE_AND_VARIABLE},
        "any other": above | {OWN_VARIABLE},
    }
    assert len(CHAINS) == len({chain.setting for chain in CHAINS})
    assert {row.name for row in configuration.SETTINGS if row.under} == {
        *SPECIAL_SETTINGS
    }


@steps_of("`bind`")
def test_what_wins_for_bind(
    project: Path, start: Callable[..., Server], sources: tuple[str, ...], step: int
) -> None:
    addresses = free_addresses(len(sources))
    given = Given()
    given.variables["BIND"] = "0.0.0.0:80"
    for source, address in list(zip(sources, addresses))[step:]:
        given.give(source, "", "bind", address)
    server = given.start(start, project)
    server.port = int(addresses[step].rpartition(":")[2])
    assert wait_for(server.body) == "one"
    assert reported(server)["bind"] == addresses[step]


@steps_of("`workers`")
def test_what_wins_for_workers(
    project: Path, start: Callable[..., Server], sources: tuple[str, ...], step: int
) -> None:
    given = Given()
    given.variables["WORKERS"] = "1"
    for number, source in list(enumerate(sources, 2))[step:]:
        given.give(source, "", "workers", number)
    assert reported(given.start(start, project))["workers"] == step + 2


@steps_of("`wsgi_app`")
def test_what_wins_for_the_application(
    project: Path, start: Callable[..., Server], sources: tuple[str, ...], step: int
) -> None:
    given = Given()
    for number, source in list(enumerate(sources))[step:]:
        (project / f"level{number}.py").write_text(LEVEL_APPLICATION)
        given.give(source, "", "wsgi_app", f"level{number}:app")
    assert wait_for(given.start(start, project).body) == f"level{step}"


@steps_of("any other")
def test_what_wins_for_any_other_setting(
    configuration: ModuleType,
    project: Path,
    start: Callable[..., Server],
    sources: tuple[str, ...],
    step: int,
) -> None:
    (project / "worker_classes.py").write_text(WORKER_CLASSES)
    values: dict[str, list[Any]] = {
        "timeout": [31, 32, 33, 34],
        "graceful_timeout": [41, 42, 43, 44],
        "keepalive": [51, 52, 53, 54],
        "loglevel": ["critical", "error", "warning", "debug"],
        "accesslog": ["access0", "access1", "access2", "access3"],
        "errorlog": ["error0", "error1", "error2", "error3"],
        "reload": [source != FILE for source in sources],
        "worker_tmp_dir": [str(project / f"folder{number}") for number in range(4)],
        "worker_class": [f"worker_classes.Worker{number}" for number in range(4)],
        "max_requests": [61, 62, 63, 64],
        "max_requests_jitter": [71, 72, 73, 74],
        "forwarded_allow_ips": [f"10.0.0.{number}" for number in range(4)],
    }
    variables = {row.name: row.variable for row in configuration.GUNICORN_SETTINGS}
    assert values.keys() == variables.keys() - {*SPECIAL_SETTINGS}
    for folder in values["worker_tmp_dir"]:
        Path(folder).mkdir()
    given = Given()
    for number, source in list(enumerate(sources))[step:]:
        for name, levels in values.items():
            given.give(source, variables[name], name, levels[number])
    told = reported(given.start(start, project))
    assert {name: told[name] for name in values} == {
        name: levels[step] for name, levels in values.items()
    }
