"""Gunicorn's logger, with one format and one level for all that is logged.

Gunicorn has two loggers, for errors and for access, Uvicorn takes over their handlers,
and the application has what it likes, below Python's root logger. Here all of them get
the formatter of LOG_FORMAT and the level of LOG_LEVEL; the root logger writes to the
error log, Python's warnings as well. A ``logconfig``, ``logconfig_dict`` or
``logconfig_json`` of the user's own is in charge instead, and of everything.

It is a logger class, not a ``logconfig_dict`` of ours, because Gunicorn then goes on
with ACCESS_LOG, ERROR_LOG, SIGUSR1 and syslog as documented.

Sources: Gunicorn's ``glogging.py`` and ``instrument/statsd.py``.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import access_lines
import log_lines
from gunicorn.config import AccessLogFormat
from gunicorn.glogging import Logger

OWN_CONFIGURATIONS = ("logconfig", "logconfig_dict", "logconfig_json")


class ApplicationLogger(Logger):  # type: ignore[misc]
    """Gunicorn's logger, whose format and level the application's loggers share."""

    def __new__(cls, cfg: Any) -> Any:
        """Return the logger for Gunicorn's settings: one for statsd if it is asked for.

        Gunicorn itself would choose it, had it been left its default class.
        """
        is_for_statsd = cls is ApplicationLogger and getattr(cfg, "statsd_host", None)
        return super().__new__(statsd_logger() if is_for_statsd else cls)

    def setup(self, cfg: Any) -> None:
        """Set up all loggers: at the start and, in newer Gunicorns, at each SIGHUP."""
        for handler in getattr(self, "_root_handlers", []):
            logging.root.removeHandler(handler)
        self._root_handlers: list[logging.Handler] = []
        self._has_own_format = cfg.access_log_format != AccessLogFormat.default
        super().setup(cfg)
        if any(getattr(cfg, name, None) for name in OWN_CONFIGURATIONS):
            return
        formatter = log_lines.formatter()
        for logger in (self.error_log, self.access_log):
            logger.setLevel(self.loglevel)
            for handler in logger.handlers:
                if isinstance(handler, logging.StreamHandler):
                    handler.setFormatter(formatter)
        self._root_handlers = list(self.error_log.handlers)
        for handler in self._root_handlers:
            logging.root.addHandler(handler)
        logging.root.setLevel(self.loglevel)
        logging.captureWarnings(True)

    def access(
        self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta
    ) -> None:
        """Write the access line of one of Gunicorn's own workers, in the form of ours.

        With an ``access_log_format`` of the user's own the message is that one.
        """
        if self._has_own_format:
            super().access(resp, req, environ, request_time)
            return
        status = str(getattr(resp, "status", "")).split(None, 1)[0:1]
        number = int(status[0]) if status and status[0].isdigit() else 0
        if access_lines.is_wanted(environ.get("PATH_INFO", ""), number):
            client = environ.get("REMOTE_ADDR") or ""
            port = str(environ.get("REMOTE_PORT") or 0)
            path = str(environ.get("RAW_URI", "")).encode("latin-1", "replace")
            access_lines.write(
                client=access_lines.client_text((client, port) if client else None),
                method=environ.get("REQUEST_METHOD", "-"),
                path=access_lines.path_text(path, b""),
                version=environ.get("SERVER_PROTOCOL", "").partition("/")[2],
                status=number,
                seconds=request_time.total_seconds(),
            )


def statsd_logger() -> Any:
    """Return our logger that also sends Gunicorn's counters to statsd."""
    from gunicorn.instrument.statsd import Statsd

    return type("StatsdLogger", (ApplicationLogger, Statsd), {"access": Statsd.access})
