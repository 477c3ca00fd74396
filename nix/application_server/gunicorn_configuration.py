"""Gunicorn's configuration, read from environment variables.

Gunicorn reads this file through ``gunicorn -c``: every module variable whose name is
one of its settings is taken over. ``GUNICORN_CMD_ARGS`` and the command line are read
by Gunicorn afterwards and win. Run as a program, the file needs no Gunicorn: it prints
the settings that it would hand over as one JSON object.

``SETTINGS`` is the one place that knows which variable feeds which setting, what its
default is and which values are allowed. A variable that is set but empty means "off"
for ACCESS_LOG, ERROR_LOG and RELOAD, and the default for all others. Every value that
is not allowed is reported, one line a variable, and ends the process with status 3;
at SIGHUP, when requests are being served, the former settings stay in force instead.

Before Gunicorn does anything else, the pre-start hook runs, and it is made sure that
there is an application.

Sources: Gunicorn's settings reference, section by section the names of the settings;
the order of precedence is the one of Gunicorn's configuration overview.
"""

from __future__ import annotations

import importlib.metadata
import ipaddress
import json
import logging
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

server_folder = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, server_folder)
try:
    import application_finder
    import configuration_overlay
    import log_lines
    import port_permission
    import pre_start_hook
    import prometheus_files
    from setting_errors import (
        INVALID_CONFIGURATION,
        InvalidConfiguration,
        UnusableValue,
        describe,
    )
finally:
    sys.path.remove(server_folder)
    if server_folder not in sys.path:
        sys.path.append(server_folder)

APPLICATION_WORKER = "application_worker.ApplicationWorker"
APPLICATION_LOGGER = "application_logger.ApplicationLogger"
FIRST_UVICORN_WITH_NETWORKS = (0, 31)
FALLBACK_WORKER_TMP_DIR = "/tmp"
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")
WORDS_FOR_ON = ("true", "1", "yes", "on")
WORDS_FOR_OFF = ("false", "0", "no", "off", "")
ONE_DAY = 86_400


class Kind(NamedTuple):
    """A kind of value that a variable can have.

    ``allowed`` says in words what is allowed; error messages quote it. ``parse`` turns
    the text of the variable, stripped of surrounding white space, into the value, and
    raises ``ValueError`` for a text that is not allowed, ``UnusableValue`` with a reason
    of its own. ``empty_is_a_value`` tells whether an empty text is for ``parse`` to
    judge or stands for the default. ``parse_default`` takes the place of ``parse`` where
    the variable is not set.
    """

    allowed: str
    parse: Callable[[str], object]
    empty_is_a_value: bool = False
    parse_default: Callable[[str], object] | None = None


class Setting(NamedTuple):
    """One row of the table: what a variable feeds.

    ``name`` is Gunicorn's setting, and empty for what these files use themselves.
    ``default`` is written as it would stand in the environment. ``value_for_off`` is
    what Gunicorn is told where the variable's value is ``None``. Settings that are not
    ``reported`` are left out of the JSON object. ``under`` is the variable of the same
    setting that has to be absent for this one to count, and ``in_images`` tells of a
    variable that the images set to its default, which then counts as absent.
    """

    variable: str
    name: str
    kind: Kind
    default: str
    value_for_off: str | None = None
    reported: bool = True
    under: str | None = None
    in_images: bool = False


class Variables(NamedTuple):
    """The values of all variables, and which of them somebody has set."""

    values: dict[str, Any]
    given: frozenset[str]


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


def parse_log_format(text: str) -> str:
    """Return the form of log lines in lower case."""
    if text.lower() not in log_lines.FORMATS:
        raise ValueError(text)
    return text.lower()


def parse_path(text: str) -> str:
    """Return the path of a request, with its query if there is one."""
    if not re.fullmatch(r"/[!-~]*", text):
        raise ValueError(text)
    return text


def parse_paths(text: str) -> list[str]:
    """Return paths of requests; no text, no paths."""
    return [parse_path(path.strip()) for path in text.split(",")] if text else []


def parse_metrics_folder(text: str) -> str:
    """Return the folder of prometheus_client's files, which need not exist yet.

    Nothing is made or emptied here: at SIGHUP, and in a program that only prints the
    settings, workers of a running server write into it.
    """
    if text and (not os.path.isabs(text) or "\0" in text):
        raise ValueError(text)
    if text and os.path.lexists(text) and not os.path.isdir(text):
        raise UnusableValue("is not allowed: it is not a folder")
    return text


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


def parse_host(text: str) -> str:
    """Return a host to listen on, an IPv6 address in the brackets that it needs."""
    host = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    if ":" not in host:
        check_host(text)
        return text
    if "%" in host:
        raise ValueError(text)
    ipaddress.IPv6Address(host)
    return f"[{host}]"


def parse_module(text: str) -> str:
    """Return the dotted name of a module."""
    if not re.fullmatch(r"[^\s:/.]+(\.[^\s:/.]+)*", text):
        raise ValueError(text)
    return text


def parse_variable(text: str) -> str:
    """Return the name of a module's variable, or a call of one."""
    if not re.fullmatch(r"[^\s:].*", text):
        raise ValueError(text)
    return text


def parse_worker_class(text: str) -> str:
    """Return what Gunicorn finds a worker class by: a name, a path in dots or an egg.

    The class is loaded, as Gunicorn will do, whose own error is a traceback. Where
    Gunicorn cannot be imported, the form alone is judged.
    """
    if not re.fullmatch(r"[\w.#:-]+", text):
        raise ValueError(text)
    try:
        from gunicorn.util import load_class
    except ImportError:
        return text
    try:
        worker = load_class(text)
    except (Exception, SystemExit) as error:
        reason = describe(error.__context__ or error)
        raise UnusableValue(f"cannot be loaded: {reason}") from error
    if not isinstance(worker, type):
        raise UnusableValue("cannot be loaded: it is not a class")
    return text


def uvicorn_takes_networks() -> bool:
    """Return whether the installed Uvicorn trusts networks of proxies.

    Before 0.31 it compares the text of single addresses, and a network would silently
    trust nobody. Without Uvicorn, Gunicorn's own workers are in charge.
    """
    try:
        version = importlib.metadata.version("uvicorn")
    except importlib.metadata.PackageNotFoundError:
        return True
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return numbers >= FIRST_UVICORN_WITH_NETWORKS


def parse_proxies(text: str) -> str:
    """Return the addresses whose X-Forwarded headers count, joined by commas.

    They are written as the system names a peer, for Uvicorn before 0.31 compares texts.
    A * among others stands alone: newer versions know it only so.
    """
    proxies = []
    for proxy in (item.strip() for item in text.split(",")):
        if "%" in proxy:
            raise ValueError(text)
        if proxy == "*":
            proxies.append(proxy)
        elif "/" in proxy:
            network = ipaddress.ip_network(proxy)
            if not uvicorn_takes_networks():
                version = ".".join(map(str, FIRST_UVICORN_WITH_NETWORKS))
                raise UnusableValue(
                    f"is not allowed: networks such as {proxy} take Uvicorn {version} "
                    f"or newer, the one installed takes addresses and *"
                )
            proxies.append(str(network))
        else:
            address = ipaddress.ip_address(proxy)
            family = socket.AF_INET if address.version == 4 else socket.AF_INET6
            proxies.append(socket.inet_ntop(family, address.packed))
    return "*" if "*" in proxies else ",".join(proxies)


def parse_overlay(text: str) -> dict[str, Any]:
    """Return the settings of the user's configuration file; no path, no settings."""
    return configuration_overlay.read_overlay(text) if text else {}


def parse_pre_start_path(text: str) -> str:
    """Return the path of a program, if it is one that can be run."""
    if "\0" in text or not os.path.exists(text):
        raise UnusableValue("is not allowed: there is no such file")
    if not os.path.isfile(text):
        raise UnusableValue("is not allowed: it is not a file")
    if not os.access(text, os.X_OK):
        raise UnusableValue(f"is not allowed: not executable: chmod +x {text}")
    return os.path.abspath(text)


def default_pre_start_path(text: str) -> str | None:
    """Return the path of a program, or ``None`` where there is nothing at all."""
    return parse_pre_start_path(text) if os.path.lexists(text) else None


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
    log_lines.tell(
        f"WORKER_TMP_DIR={text!r} is not a writable folder: "
        f"{FALLBACK_WORKER_TMP_DIR} is used in its place",
        logging.WARNING,
    )
    return FALLBACK_WORKER_TMP_DIR


SECONDS = whole_number(0, ONE_DAY)
SWITCH = Kind(
    "one of true, 1, yes, on, false, 0, no, off, or empty for off", parse_switch, True
)
LOG_LEVEL = Kind(f"one of {', '.join(LOG_LEVELS)}", parse_log_level)
LOG_FORMAT = Kind(f"one of {', '.join(log_lines.FORMATS)}", parse_log_format)
PATH = Kind("a path, as in /health", parse_path)
PATHS = Kind("paths joined by commas, as in /health,/ready", parse_paths)
METRICS_FOLDER = Kind("an absolute path of a folder", parse_metrics_folder)
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
MODULE = Kind("a module, as in app.main", parse_module)
VARIABLE = Kind("a name, or a call as in create()", parse_variable)
HOST = Kind("a host name, an IPv4 or an IPv6 address", parse_host)
PORT = Kind("a port from 1 to 65535", parse_port)
WORKER_NUMBER = whole_number(1, 1000)
REQUESTS = whole_number(0, 999_999_999)
WORKER_CLASS = Kind(
    "a worker class of Gunicorn, as in gthread, or MODULE.CLASS",
    parse_worker_class,
    parse_default=str,
)
PROXIES = Kind("IP addresses or networks, joined by commas, or *", parse_proxies)
OVERLAY = Kind("a Python file", parse_overlay)
PROGRAM = Kind(
    "an executable file", parse_pre_start_path, parse_default=default_pre_start_path
)
WRITABLE_FOLDER = Kind(
    f"a writable folder, unless {FALLBACK_WORKER_TMP_DIR} is one, which is used then",
    parse_worker_tmp_dir,
)

SETTINGS: tuple[Setting, ...] = (
    Setting("BIND", "bind", BIND, "0.0.0.0:80", in_images=True),
    Setting("HOST", "bind", HOST, "0.0.0.0", under="BIND"),
    Setting("PORT", "bind", PORT, "80", under="BIND"),
    Setting("WORKERS", "workers", WORKER_NUMBER, "1", in_images=True),
    Setting("WEB_CONCURRENCY", "workers", WORKER_NUMBER, "1", under="WORKERS"),
    Setting("TIMEOUT", "timeout", SECONDS, "30"),
    Setting("GRACEFUL_TIMEOUT", "graceful_timeout", SECONDS, "30"),
    Setting("KEEP_ALIVE", "keepalive", SECONDS, "2"),
    Setting("LOG_LEVEL", "loglevel", LOG_LEVEL, "info"),
    Setting("ACCESS_LOG", "accesslog", LOG_FILE, "-"),
    Setting("ERROR_LOG", "errorlog", LOG_FILE, "-", value_for_off=os.devnull),
    Setting("LOG_FORMAT", "", LOG_FORMAT, "text"),
    Setting("ACCESS_LOG_EXCLUDE", "", PATHS, ""),
    Setting("RELOAD", "reload", SWITCH, "False"),
    Setting("WORKER_TMP_DIR", "worker_tmp_dir", WRITABLE_FOLDER, "/dev/shm"),
    Setting("WORKER_CLASS", "worker_class", WORKER_CLASS, APPLICATION_WORKER),
    Setting("MAX_REQUESTS", "max_requests", REQUESTS, "0"),
    Setting("MAX_REQUESTS_JITTER", "max_requests_jitter", REQUESTS, "0"),
    Setting("FORWARDED_ALLOW_IPS", "forwarded_allow_ips", PROXIES, "127.0.0.1"),
    Setting("APP_MODULE", "wsgi_app", APPLICATION, "app.main:app", reported=False),
    Setting("MODULE_NAME", "wsgi_app", MODULE, "app.main", under="APP_MODULE"),
    Setting("VARIABLE_NAME", "wsgi_app", VARIABLE, "app", under="APP_MODULE"),
    Setting("GUNICORN_CONF", "", OVERLAY, ""),
    Setting("PRE_START_PATH", "", PROGRAM, "/application_root/prestart.sh"),
    Setting("HEALTH_CHECK_PATH", "", PATH, "/"),
    Setting("HEALTH_CHECK_TIMEOUT", "", whole_number(1, 3600), "5"),
    Setting("PROMETHEUS_MULTIPROC_DIR", "", METRICS_FOLDER, ""),
)

# One row for each of Gunicorn's settings.
GUNICORN_SETTINGS = tuple(row for row in SETTINGS if row.name and row.under is None)


def read_variables(
    environment: Mapping[str, str], settings: Iterable[Setting] = SETTINGS
) -> Variables:
    """Return the value of every variable.

    Raises ``InvalidConfiguration`` with a line for each variable whose value is not
    allowed, not only for the first, and also for those that another one overrules.
    """
    values: dict[str, Any] = {}
    given = set()
    errors: list[str] = []
    for setting in settings:
        kind = setting.kind
        text = environment.get(setting.variable, "").strip()
        if text and not (setting.in_images and text == setting.default):
            given.add(setting.variable)
        parse = kind.parse
        is_value = kind.empty_is_a_value and setting.variable in environment
        if not text and not is_value:
            text = setting.default
            parse = kind.parse_default or kind.parse
        try:
            values[setting.variable] = parse(text)
        except UnusableValue as error:
            errors.append(f"{setting.variable}={text!r} {error}")
        except ValueError:
            errors.append(
                f"{setting.variable}={text!r} is not allowed: expected {kind.allowed}"
            )
    if errors:
        raise InvalidConfiguration(*errors)
    return Variables(values, frozenset(given))


def settings_of(variables: Variables) -> dict[str, Any]:
    """Return the value of every setting, by the setting's name."""
    values, given = variables
    settings = {row.name: values[row.variable] for row in GUNICORN_SETTINGS}
    if "BIND" not in given:
        settings["bind"] = f"{values['HOST']}:{values['PORT']}"
    if "WORKERS" not in given:
        settings["workers"] = values["WEB_CONCURRENCY"]
    if "APP_MODULE" not in given:
        settings["wsgi_app"] = f"{values['MODULE_NAME']}:{values['VARIABLE_NAME']}"
    return settings


def read_settings(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the value of every setting as the variables have it, by the setting's name.

    ``None`` stands for a log that is off. Raises ``InvalidConfiguration`` as
    ``read_variables`` does.
    """
    return settings_of(read_variables(environment))


def gunicorn_settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings as Gunicorn wants them.

    Gunicorn has no "off" for its error log: without a file, Python's logging of last
    resort writes warnings to the standard error stream. The null device is off. Of
    several addresses it wants a list: it does not split a string from this file.
    """
    settings = dict(values)
    for setting in GUNICORN_SETTINGS:
        if settings[setting.name] is None:
            settings[setting.name] = setting.value_for_off
    settings["bind"] = settings["bind"].split(",")
    return settings


def as_reported(value: object) -> object:
    """Return a setting's value in the form that the JSON object has it.

    A user's configuration file may have lists for texts, and classes for their names.
    """
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def without_off(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return Gunicorn's settings as in the JSON, with ``None`` for what is off."""
    values: dict[str, Any] = {}
    for row in GUNICORN_SETTINGS:
        value = as_reported(settings[row.name])
        values[row.name] = None if value == row.value_for_off else value
    return values


def effective_settings(configuration: Any) -> dict[str, Any]:
    """Return the settings of a ``gunicorn.config.Config``, as in the JSON.

    These may differ from the environment's: the user's configuration file,
    GUNICORN_CMD_ARGS and the command line win.
    """
    known = configuration.settings
    return without_off({row.name: known[row.name].get() for row in GUNICORN_SETTINGS})


def settings_in_gunicorn(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings as in the JSON, in Gunicorn's form where it can be imported.

    A user's file may have a number in a string, or one address for a list of them.
    """
    known = configuration_overlay.known_settings()
    if known is None:
        return without_off(settings)
    for row in GUNICORN_SETTINGS:
        known[row.name].set(settings[row.name])
    return without_off({row.name: known[row.name].get() for row in GUNICORN_SETTINGS})


def as_json(values: Mapping[str, Any]) -> str:
    """Return the reported settings as a JSON object on one line."""
    names = [setting.name for setting in GUNICORN_SETTINGS if setting.reported]
    return json.dumps({name: values[name] for name in names})


def report_settings(server: Any) -> None:
    """Print the effective settings of an arbiter, unless they were printed before."""
    line = as_json(effective_settings(server.cfg))
    if getattr(server, "reported_settings", None) != line:
        server.reported_settings = line
        if log_lines.is_json():
            settings = json.loads(line)
            log_lines.tell(
                "Settings in force", logging.INFO, sys.stdout, settings=settings
            )
        else:
            print(line, flush=True)


def search_folders(configuration: Any) -> list[str]:
    """Return the folders in which users put an application, the working directory first.

    They are Gunicorn's ``chdir``, those of PYTHONPATH and of Gunicorn's ``pythonpath``.
    """
    folders = [os.getcwd(), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    folders += (configuration.pythonpath or "").split(",")
    return list(dict.fromkeys(os.path.abspath(folder) for folder in folders if folder))


def outlives_failure(server: Any) -> bool:
    """Return whether the worker serves until an application appears (RELOAD)."""
    worker = getattr(sys.modules.get("application_worker"), "ApplicationWorker", None)
    return bool(server.cfg.reload) and worker in server.worker_class.__mro__


def check_application(server: Any) -> None:
    """End the process with status 3 and one line if the application's module is missing.

    With RELOAD the line is a warning: the worker answers with the traceback, and serves
    the application as soon as it is there. An application of Paste's is left alone.
    """
    application = getattr(server.app, "app_uri", None)
    if not application or server.cfg.paste is not None:
        return
    module = application.partition(":")[0]
    reason = application_finder.why_no_application(module, search_folders(server.cfg))
    if reason is None:
        return
    remedy = "set APP_MODULE"
    if application != server.cfg.wsgi_app:
        remedy = "name another one as the argument"
    elif application != application_of_variables:
        remedy = "change wsgi_app in GUNICORN_CONF"
    line = f"no application: {reason}, or {remedy}"
    may_appear = outlives_failure(server)
    level = logging.WARNING if may_appear else logging.ERROR
    log_lines.tell(" ".join(line.split()), level)
    if not may_appear:
        sys.exit(INVALID_CONFIGURATION)


def check_ports(server: Any) -> None:
    """End the process with status 3 and one line if this user may not open a port.

    An arbiter that takes over from another one (SIGUSR2) has the port already.
    """
    line = port_permission.why_forbidden(server.cfg.address)
    if line is not None and "GUNICORN_PID" not in os.environ:
        log_lines.tell(line)
        sys.exit(INVALID_CONFIGURATION)


def prepare_metrics() -> None:
    """Make and empty the folder of metrics, or end with status 3 and one line.

    An empty variable, which prometheus_client would take for the working directory, is
    removed.
    """
    if not metrics_folder:
        os.environ.pop(prometheus_files.VARIABLE, None)
    elif prometheus_files.is_installed():
        try:
            prometheus_files.prepare(metrics_folder)
        except UnusableValue as error:
            log_lines.tell(f"{prometheus_files.VARIABLE}={metrics_folder!r} {error}")
            sys.exit(INVALID_CONFIGURATION)


def on_starting(server: Any) -> None:
    """Report the settings when the arbiter starts (Gunicorn's hook of that name)."""
    report_settings(server)


def on_reload(server: Any) -> None:
    """Report settings that SIGHUP has changed (Gunicorn's hook of that name)."""
    report_settings(server)


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that has died (Gunicorn's hook of that name)."""
    if not metrics_folder or not prometheus_files.is_installed():
        return
    try:
        prometheus_files.forget(metrics_folder, worker.pid)
    except Exception as error:
        server.log.error("Metrics of worker %s stay: %s", worker.pid, describe(error))


def nworkers_changed(server: Any, new_value: int, old_value: int | None) -> None:
    """Prepare the start: pre-start hook, the application's module, folder of metrics.

    Gunicorn calls its hook of that name with no old value while it sets up the arbiter:
    before an application is preloaded, a file with the process's number written, the
    port opened, and before the settings are reported, which nothing will be served
    with. An arbiter that takes over from another one (SIGUSR2) runs no pre-start hook
    and empties no folder: the port is open, and the start was the first one's.
    """
    if old_value is not None:
        return
    is_first = "GUNICORN_PID" not in os.environ
    if pre_start_path is not None and is_first:
        status = pre_start_hook.run_pre_start_hook(
            pre_start_path, server.cfg.graceful_timeout
        )
        if status is not None:
            sys.exit(status)
    check_application(server)
    check_ports(server)
    if is_first:
        prepare_metrics()


def followed_by(ours: Callable[..., Any], theirs: Callable[..., Any]) -> Any:
    """Return a hook that calls two, with as many arguments as Gunicorn has for ours.

    Gunicorn counts the arguments that a hook can take.
    """

    def with_server(server: Any) -> None:
        ours(server)
        theirs(server)

    def with_worker(server: Any, worker: Any) -> None:
        ours(server, worker)
        theirs(server, worker)

    def with_numbers(server: Any, new_value: int, old_value: int | None) -> None:
        ours(server, new_value, old_value)
        theirs(server, new_value, old_value)

    if ours is child_exit:
        return with_worker
    return with_numbers if ours is nworkers_changed else with_server


def module_variables(variables: Variables) -> dict[str, Any]:
    """Return what this module's variables have to be for Gunicorn, and for its hooks.

    The user's configuration file comes over the environment; its hooks come after those
    of the same name that stand here.
    """
    settings = settings_of(variables)
    overlay = dict(variables.values["GUNICORN_CONF"])
    for ours in (on_starting, on_reload, child_exit, nworkers_changed):
        if ours.__name__ in overlay:
            overlay[ours.__name__] = followed_by(ours, overlay[ours.__name__])
    return {
        "application_of_variables": settings["wsgi_app"],
        "pre_start_path": variables.values.get("PRE_START_PATH"),
        "metrics_folder": variables.values["PROMETHEUS_MULTIPROC_DIR"],
        "logger_class": APPLICATION_LOGGER,
        **gunicorn_settings(settings),
        **overlay,
    }


def read_or_exit(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return ``module_variables``, or end the process with status 3.

    Gunicorn turns an exception in a configuration file into a traceback, but lets
    ``SystemExit`` through with its status.
    """
    try:
        return module_variables(read_variables(environment))
    except InvalidConfiguration as error:
        for line in error.args:
            log_lines.tell(line)
        sys.exit(INVALID_CONFIGURATION)


def read_again(
    environment: Mapping[str, str], former: dict[str, Any]
) -> dict[str, Any]:
    """Return ``module_variables`` at SIGHUP, or the former ones with a line for each error.

    An edit gone wrong must not end a server that works, and the requests in flight. The
    pre-start hook, which has run, may be gone.
    """
    settings = [row for row in SETTINGS if row.variable != "PRE_START_PATH"]
    try:
        return module_variables(read_variables(environment, settings))
    except InvalidConfiguration as error:
        for line in error.args:
            log_lines.tell(f"{line}; the former settings stay")
        return former


application_of_variables: str | None = None
pre_start_path: str | None = None
metrics_folder = ""

if __name__ == "__main__":
    print(as_json(settings_in_gunicorn(read_or_exit(os.environ))))
else:
    if log_lines.is_json():
        log_lines.take_over_hooks()
    former = configuration_overlay.variables_in_force
    current = read_again(os.environ, former) if former else read_or_exit(os.environ)
    configuration_overlay.variables_in_force = current
    globals().update(current)
