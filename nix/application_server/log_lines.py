"""The lines that the server writes: what a log record looks like, as text or as JSON.

LOG_FORMAT chooses. As text a record is a line for people, with its traceback below it; as
JSON it is one object on one line, whatever it holds, in ASCII, so that a collector never
has to put lines together. Times are those of the machine's zone with its offset from UTC.

Sources: ISO 8601; RFC 8259; the attributes of ``logging.LogRecord``.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import threading
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Optional, TextIO

FORMATS = ("text", "json")
ACCESS_LOGGERS = ("gunicorn.access", "uvicorn.access")
ACCESS_FIELDS = ("client", "method", "path", "http_version", "status")
OWN_LOGGER = "application_server"

# What every record has, and what libraries add for formatters of their own.
NOT_EXTRA = {
    *vars(logging.LogRecord("", 0, "", 0, "", None, None)),
    *("message", "asctime", "taskName", "color_message", "websocket"),
}


def is_json(environment: Optional[Mapping[str, str]] = None) -> bool:
    """Return whether LOG_FORMAT asks for JSON.

    Asked for also where other variables, or this one, have values that are not allowed:
    the lines that say so come before there is a configuration.
    """
    variables = os.environ if environment is None else environment
    return variables.get("LOG_FORMAT", "").strip().lower() == "json"


def time_of(record: logging.LogRecord) -> str:
    """Return when a record was made, in ISO 8601 with milliseconds and zone."""
    second, fraction = divmod(record.created, 1)
    before, after = _around_milliseconds(second)
    return f"{before}{int(fraction * 1000):03}{after}"


@functools.lru_cache(maxsize=8)
def _around_milliseconds(second: float) -> tuple[str, str]:
    text = datetime.fromtimestamp(second).astimezone().isoformat(timespec="seconds")
    # 2021-07-01T12:00:00+02:00, with seconds in the offset of some historic zones
    return f"{text[:19]}.", text[19:]


def message_of(record: logging.LogRecord) -> str:
    """Return a record's text, also where its arguments do not fit the message.

    ``logging`` would print a traceback in the place of such a line.
    """
    try:
        return record.getMessage()
    except Exception:
        return f"{printable(record.msg)} {printable(record.args)}"


def printable(value: object) -> str:
    """Return a value as a text, also where its own code fails to make one."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__} that cannot be printed>"


def access_fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what an access line tells, by name; nothing for any other record.

    Uvicorn's arguments have these five values in this order, and ours as well.
    """
    if record.name not in ACCESS_LOGGERS:
        return {}
    values = record.args
    if not isinstance(values, tuple) or len(values) != len(ACCESS_FIELDS):
        return {}
    return dict(zip(ACCESS_FIELDS, values))


encode = json.JSONEncoder(default=printable, allow_nan=False).encode


def access_words(known: Mapping[str, Any]) -> str:
    """Return what an access line of ours tells beside Uvicorn's message, as text."""
    words = ""
    if "event" in known:
        words += f" {known['event']}"
    if "code" in known:
        words += f" {known['code']}"
    if "duration_ms" in known:
        words += f" {known['duration_ms']} ms"
    if "disconnected" in known:
        words += " disconnected"
    return words


class TextFormatter(logging.Formatter):
    """Formats a record as a line: time, process, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and below it the traceback if there is one."""
        message = message_of(record).rstrip()
        if record.name in ACCESS_LOGGERS:
            message += access_words(vars(record))
        lines = [
            f"{time_of(record)} [{record.process}] [{record.levelname}] "
            f"{record.name}: {message}"
        ]
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            lines.append(record.exc_text)
        if record.stack_info:
            lines.append(self.formatStack(record.stack_info))
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """Formats a record as a JSON object on one line.

    Members are ``time``, ``level``, ``logger``, ``process``, ``message``, those of an
    access line, ``traceback`` and ``stack`` where there are, and what the caller gave as
    ``extra``; there, a name of ours gets an underscore behind it.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line. What JSON does not have becomes a text."""
        line: dict[str, Any] = {
            "time": time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": message_of(record).strip(),
            **access_fields(record),
        }
        if record.exc_info and not record.exc_text:
            record.exc_text = self.formatException(record.exc_info)
        if record.exc_text:
            line["traceback"] = record.exc_text
        if record.stack_info:
            line["stack"] = record.stack_info
        for name, value in vars(record).items():
            if name not in NOT_EXTRA:
                line[f"{name}_" if name in line else name] = value
        try:
            return encode(line)
        except Exception:
            known = (str, int, bool, type(None))
            return json.dumps(
                {
                    printable(name): value if type(value) in known else printable(value)
                    for name, value in line.items()
                }
            )


def formatter(environment: Optional[Mapping[str, str]] = None) -> logging.Formatter:
    """Return the formatter that LOG_FORMAT asks for."""
    return JsonFormatter() if is_json(environment) else TextFormatter()


def own_line(message: str, level: int = logging.ERROR, **fields: object) -> str:
    """Return a line of the server's own, for where there is no logging yet, or none any more.

    As text it is the message alone; ``fields`` are for JSON.
    """
    if not is_json():
        return message
    record = logging.LogRecord(OWN_LOGGER, level, "", 0, message, None, None)
    vars(record).update(fields)
    return JsonFormatter().format(record)


def tell(
    message: str,
    level: int = logging.ERROR,
    stream: Optional[TextIO] = None,
    **fields: object,
) -> None:
    """Write a line of the server's own, to the standard error stream if no other is given."""
    print(
        own_line(message, level, **fields),
        file=sys.stderr if stream is None else stream,
        flush=True,
    )


def tell_exception(
    kind: type[BaseException],
    error: Optional[BaseException],
    trace: Optional[TracebackType],
    what: str = "Unhandled exception",
) -> None:
    """Write an exception that nobody has caught as a JSON line to the standard error stream.

    Python's own place for it is that stream as well, whatever the logs are.
    """
    if error is None:
        error = kind()
    record = logging.LogRecord(
        OWN_LOGGER, logging.CRITICAL, "", 0, what, None, (kind, error, trace)
    )
    print(JsonFormatter().format(record), file=sys.stderr, flush=True)


def take_over_hooks() -> None:
    """Have exceptions that nobody catches written as JSON lines.

    Those of the main thread, of other threads, and those that Python has to ignore.
    Sources: ``sys.excepthook``, ``threading.excepthook``, ``sys.unraisablehook``.
    """

    def in_thread(arguments: Any) -> None:
        if not issubclass(arguments.exc_type, SystemExit):
            name = getattr(arguments.thread, "name", "unknown")
            what = f"Unhandled exception in thread {name}"
            kind, error, trace = arguments[:3]
            tell_exception(kind, error, trace, what)

    def ignored(arguments: Any) -> None:
        what = arguments.err_msg or "Exception ignored in"
        tell_exception(
            *(arguments.exc_type, arguments.exc_value, arguments.exc_traceback),
            f"{what}: {printable(arguments.object)}",
        )

    sys.excepthook = tell_exception
    threading.excepthook = in_thread
    sys.unraisablehook = ignored
