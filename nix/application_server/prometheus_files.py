"""The folder in which prometheus_client keeps the metrics of several processes.

Each worker writes files of its own into PROMETHEUS_MULTIPROC_DIR, and any of them adds up
all files when it is asked for /metrics. The folder has to be empty when the server
starts, and gauges of workers that have died have to go. Nothing is done here where the
application's environment has no prometheus_client.

Source: prometheus_client's documentation, "Multiprocess Mode (E.g. Gunicorn)", and its
``values.py`` for the names of the files.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import tempfile

from setting_errors import UnusableValue

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FILE = re.compile(r"(counter|gauge_[a-z]+|histogram|summary)_[0-9]+\.db")


def is_installed() -> bool:
    """Return whether prometheus_client can be imported, without importing it."""
    return importlib.util.find_spec("prometheus_client") is not None


def prepare(folder: str) -> None:
    """Make the folder if there is none, and remove the metrics of a former server.

    Only files named as prometheus_client names them are removed. Another ``.db`` file
    would be read as metrics, and is somebody's: ``UnusableValue``, and so is a folder in
    which no file can be written.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        names = sorted(os.listdir(folder))
        strange = [
            name for name in names if name.endswith(".db") and not FILE.fullmatch(name)
        ]
        if strange:
            raise UnusableValue(
                f"cannot be used: {strange[0]} in it is no file of prometheus_client's: "
                f"name a folder of its own"
            )
        for name in names:
            if FILE.fullmatch(name):
                os.unlink(os.path.join(folder, name))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnusableValue(
            f"cannot be used: {error.strerror or error}: name a folder that the server "
            f"(user {os.geteuid()}, group {os.getegid()}) may write"
        ) from error


def forget(folder: str, pid: int) -> None:
    """Remove the gauges of a process that has died. Its counters stay, and count."""
    multiprocess = importlib.import_module("prometheus_client.multiprocess")
    multiprocess.mark_process_dead(pid, folder)
