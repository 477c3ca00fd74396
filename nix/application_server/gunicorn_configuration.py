"""Gunicorn's configuration, read from environment variables.

Gunicorn reads this file through ``gunicorn -c``: every module variable whose name is
one of its settings is taken over. ``GUNICORN_CMD_ARGS`` and the command line are read
by Gunicorn afterwards and win. Run as a program, the file needs no Gunicorn: it prints
the settings that it would hand over as one JSON object.

``SETTINGS`` is the one place that knows which variable feeds which setting, what its
default is and which values are allowed. A variable that is set but empty means "off"
for ACCESS_LOG, ERROR_LOG and RELOAD, and the default for all others. Every value that
is not allowed is reported, one line a variable, and ends the process with status 3.

Sources: Gunicorn's settings reference, section by section the names of the settings;
the order of precedence is the one of Gunicorn's configuration overview.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

INVALID_CONFIGURATION = 3
FALLBACK_WORKER_TMP_DIR = "/tmp"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
WORDS_FOR_ON = ("true", "1", "yes", "on")
WORDS_FOR_OFF = ("false", "0", "no", "off", "")
ONE_DAY = 86_400


class Kind(NamedTuple):
    """A kind of value that a variable can have.

    ``allowed`` says in words what is allowed; error messages quote it. ``parse`` turns
    the text of the variable, stripped of surrounding white space, into the value, and
    raises ``ValueError`` for a text that is not allowed. ``empty_is_a_value`` tells
    whether an empty text is for ``parse`` to judge or stands for the default.
    """

    allowed: str
    parse: Callable[[str], object]
    empty_is_a_value: bool = False


class Setting(NamedTuple):
    """One row of the table: where a Gunicorn setting gets its value from.

    ``default`` is written as it would stand in the environment. ``value_for_off`` is
    what Gunicorn is told where the variable's value is ``None``. Settings that are not
    ``reported`` are left out of the JSON object.
    """

    variable: str
    name: str
    kind: Kind
    default: str
    value_for_off: str | None = None
    reported: bool = True


class InvalidConfiguration(Exception):
    """Variables have values that are not allowed; ``args`` holds a line for each."""


def whole_number(minimum: int, maximum: int) -> Kind:
    """Describe whole numbers between two bounds, both included."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"0*[0-9]{1,9}", text, re.ASCII):
            raise ValueError(text)
        number = int(text)
        if not minimum <= number <= maximum:
            raise ValueError(text)
        return number

    return Kind(f"a whole number from {minimum} to {maximum}", parse)


def parse_switch(text: str) -> bool:
    """Return whether a word means on or off, in whatever case it is written.

    Gunicorn would take any non-empty string from a configuration file for true, the
    word "False" as well, which is why the words are spelled out here.
    """
    word = text.lower()
    if word not in WORDS_FOR_ON + WORDS_FOR_OFF:
        raise ValueError(text)
    return word in WORDS_FOR_ON


def parse_log_level(text: str) -> str:
    """Return one of Gunicorn's log levels in lower case.

    Gunicorn itself would quietly use "info" for a word that it does not know.
    """
    level = text.lower()
    if level not in LOG_LEVELS:
        raise ValueError(text)
    return level


def parse_log_file(text: str) -> str | None:
    """Return the path of a log file, "-" for the console or ``None`` for no log.

    The file is not created: it is enough that it could be written or created.
    """
    if text in ("", "-"):
        return text or None
    folder = os.path.dirname(text) or os.curdir
    if os.path.exists(text):
        usable = not os.path.isdir(text) and os.access(text, os.W_OK)
    else:
        usable = os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)
    if not usable or not os.path.basename(text):
        raise ValueError(text)
    return text


def parse_port(text: str) -> int:
    """Return the number of a TCP port, 1 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) or not 0 < int(text) < 65_536:
        raise ValueError(text)
    return int(text)


def check_host(text: str) -> None:
    """Raise ``ValueError`` for what is neither an IPv4 address nor a host name.

    The empty text is allowed: it means every IPv4 address of the machine.
    """
    labels = text.split(".")
    if labels[-1].isdigit():
        ipaddress.IPv4Address(text)
    elif text and not all(
        re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", label, re.ASCII | re.IGNORECASE)
        for label in labels
    ):
        raise ValueError(text)


def check_address(text: str) -> None:
    """Raise ``ValueError`` for an address that Gunicorn could not listen on.

    Other than in Gunicorn, the port has to be given: its silent default, 8000, is not
    what an image exposes.
    """
    if text.startswith("unix:"):
        if not text[len("unix:") :].strip("/"):
            raise ValueError(text)
        return
    if text.startswith("fd://"):
        if not re.fullmatch(r"[0-9]{1,6}", text[len("fd://") :], re.ASCII):
            raise ValueError(text)
        return
    text = text.removeprefix("tcp://")
    host, separator, port = text.rpartition(":")
    if not separator:
        raise ValueError(text)
    parse_port(port)
    if host.startswith("[") and host.endswith("]") and "%" not in host:
        ipaddress.IPv6Address(host[1:-1])
    else:
        check_host(host)


def parse_bind(text: str) -> str:
    """Return addresses to listen on, joined by commas and free of white space."""
    addresses = [address.strip() for address in text.split(",")]
    for address in addresses:
        check_address(address)
    return ",".join(addresses)


def parse_application(text: str) -> str:
    """Return where the ASGI application is: a module, a colon, a name or a call."""
    if not re.fullmatch(r"[^\s:/.]+(\.[^\s:/.]+)*(:[^\s:].*)?", text):
        raise ValueError(text)
    return text


def is_writable_folder(folder: str) -> bool:
    """Return whether a file can be created in a folder, by creating one for a moment.

    Permission bits alone do not tell: the file system may be read-only or full.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (OSError, ValueError):
        return False


def parse_worker_tmp_dir(text: str) -> str:
    """Return the folder of the workers' heartbeat files, or /tmp in its place.

    A memory file system is best, for a heartbeat must not wait for a disk, but a server
    with a slower heartbeat is better than none: a folder that cannot be used is
    replaced, with one line of warning on the standard error stream.
    """
    if is_writable_folder(text):
        return text
    if not is_writable_folder(FALLBACK_WORKER_TMP_DIR):
        raise ValueError(text)
    print(
        f"WORKER_TMP_DIR={text!r} is not a writable folder: "
        f"{FALLBACK_WORKER_TMP_DIR} is used in its place",
        file=sys.stderr,
        flush=True,
    )
    return FALLBACK_WORKER_TMP_DIR


SECONDS = whole_number(0, ONE_DAY)
SWITCH = Kind(
    "one of true, 1, yes, on, false, 0, no, off, or empty for off", parse_switch, True
)
LOG_LEVEL = Kind(f"one of {', '.join(LOG_LEVELS)}", parse_log_level)
LOG_FILE = Kind(
    "a file that can be written, - for the console, or empty for off",
    parse_log_file,
    True,
)
BIND = Kind(
    "HOST:PORT with a port from 1 to 65535, [IPV6]:PORT, unix:PATH or fd://NUMBER, "
    "several joined by commas",
    parse_bind,
)
APPLICATION = Kind("MODULE:NAME, as in app.main:app", parse_application)
WRITABLE_FOLDER = Kind(
    f"a writable folder, unless {FALLBACK_WORKER_TMP_DIR} is one, which is used then",
    parse_worker_tmp_dir,
)

SETTINGS: tuple[Setting, ...] = (
    Setting("BIND", "bind", BIND, "0.0.0.0:80"),
    Setting("WORKERS", "workers", whole_number(1, 1000), "1"),
    Setting("TIMEOUT", "timeout", SECONDS, "30"),
    Setting("GRACEFUL_TIMEOUT", "graceful_timeout", SECONDS, "30"),
    Setting("KEEP_ALIVE", "keepalive", SECONDS, "2"),
    Setting("LOG_LEVEL", "loglevel", LOG_LEVEL, "info"),
    Setting("ACCESS_LOG", "accesslog", LOG_FILE, "-"),
    Setting("ERROR_LOG", "errorlog", LOG_FILE, "-", value_for_off=os.devnull),
    Setting("RELOAD", "reload", SWITCH, "False"),
    Setting("WORKER_TMP_DIR", "worker_tmp_dir", WRITABLE_FOLDER, "/dev/shm"),
    Setting("APP_MODULE", "wsgi_app", APPLICATION, "app.main:app", reported=False),
)


def read_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of every setting, by the setting's name.

    ``None`` stands for a log that is off. Raises ``InvalidConfiguration`` with a line
    for each variable whose value is not allowed, not only for the first.
    """
    values: dict[str, Any] = {}
    errors: list[str] = []
    for setting in SETTINGS:
        text = environment.get(setting.variable, setting.default).strip()
        if not text and not setting.kind.empty_is_a_value:
            text = setting.default
        try:
            values[setting.name] = setting.kind.parse(text)
        except ValueError:
            errors.append(
                f"{setting.variable}={text!r} is not allowed: "
                f"expected {setting.kind.allowed}"
            )
    if errors:
        raise InvalidConfiguration(*errors)
    return values


def read_settings_or_exit(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what ``read_settings`` does, or end the process with status 3.

    Gunicorn turns an exception in a configuration file into a traceback, but lets
    ``SystemExit`` through with its status.
    """
    try:
        return read_settings(environment)
    except InvalidConfiguration as error:
        print(*error.args, sep="\n", file=sys.stderr, flush=True)
        sys.exit(INVALID_CONFIGURATION)


def gunicorn_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as Gunicorn wants them.

    Gunicorn has no "off" for its error log: without a file, Python's logging of last
    resort writes warnings to the standard error stream. The null device is off. Of
    several addresses it wants a list: it does not split a string from this file.
    """
    settings = dict(values)
    for setting in SETTINGS:
        if settings[setting.name] is None:
            settings[setting.name] = setting.value_for_off
    settings["bind"] = settings["bind"].split(",")
    return settings


def effective_settings(configuration: Any) -> dict[str, Any]:
    """Return the reported settings of a ``gunicorn.config.Config``, as in the JSON.

    These may differ from the environment's: GUNICORN_CMD_ARGS and the command line win.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        value = configuration.settings[setting.name].get()
        if isinstance(value, list):
            value = ",".join(value)
        values[setting.name] = None if value == setting.value_for_off else value
    return values


def as_json(values: Mapping[str, Any]) -> str:
    """Return the reported settings as a JSON object on one line."""
    return json.dumps(
        {setting.name: values[setting.name] for setting in SETTINGS if setting.reported}
    )


def report_settings(server: Any) -> None:
    """Print the effective settings of an arbiter, unless they were printed before."""
    line = as_json(effective_settings(server.cfg))
    if getattr(server, "reported_settings", None) != line:
        server.reported_settings = line
        print(line, flush=True)


def on_starting(server: Any) -> None:
    """Report the settings when the arbiter starts (Gunicorn's hook of that name)."""
    report_settings(server)


def on_reload(server: Any) -> None:
    """Report settings that SIGHUP has changed (Gunicorn's hook of that name)."""
    report_settings(server)


if __name__ == "__main__":
    print(as_json(read_settings_or_exit(os.environ)))
else:
    server_folder = os.path.dirname(os.path.abspath(__file__))
    if server_folder not in sys.path:
        sys.path.append(server_folder)
    worker_class = "application_worker.ApplicationWorker"
    globals().update(gunicorn_settings(read_settings_or_exit(os.environ)))
