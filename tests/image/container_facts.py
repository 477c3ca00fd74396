"""Run inside a container: prints as one JSON object what the contract's tests ask for."""

import datetime
import grp
import importlib
import json
import locale
import os
import pathlib
import platform
import pwd
import socket
import ssl
import sys
import time
import zoneinfo

import gunicorn.app.base

MODULES = """
    asyncio bz2 concurrent.futures csv ctypes curses dbm dbm.ndbm decimal distutils.core
    email encodings.idna hashlib html http.client http.server importlib.metadata
    lib2to3.pytree logging.config lzma mmap multiprocessing.pool nis pydoc_data.topics
    readline resource select sqlite3 ssl statistics termios unicodedata unittest.mock
    urllib.request uuid venv wsgiref.simple_server xml.etree.ElementTree xmlrpc.client
    zipfile zipimport zlib
""".split()

# Modules that a Python no longer has, by the first that lacks them (PEP 594, PEP 632).
REMOVED = {"distutils.core": (3, 12), "lib2to3.pytree": (3, 13), "nis": (3, 13)}


def importable(name: str) -> bool:
    """Whether a module imports."""
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def writable(folder: str) -> bool:
    """Whether a file can be made in a folder, and removed."""
    path = pathlib.Path(folder, "written")
    try:
        path.touch()
        path.unlink()
    except OSError:
        return False
    return True


def parent(pid: str) -> str:
    """A process's parent (proc(5), /proc/PID/stat); "" where it is gone."""
    try:
        return (
            pathlib.Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[1]
        )
    except OSError:
        return ""


user = pwd.getpwuid(os.getuid())
children = [pid for pid in os.listdir("/proc") if pid.isdigit() and parent(pid) == "1"]
cached = gunicorn.app.base.__cached__
certificates = pathlib.Path("/etc/ssl/certs")
berlin = zoneinfo.ZoneInfo("Europe/Berlin")
chosen = locale.setlocale(locale.LC_ALL, "")
os.environ["TZ"] = "Asia/Tokyo"
time.tzset()

facts = {
    "version": platform.python_version(),
    "prefix": sys.prefix,
    "environment": dict(os.environ),
    "process 1": pathlib.Path("/proc/1/cmdline").read_text(),
    "children of process 1": len(children),
    "user": [user.pw_name, user.pw_uid, user.pw_gid, grp.getgrgid(user.pw_gid).gr_name],
    "home": str(pathlib.Path.home()),
    "writable": [
        folder
        for folder in (
            "/",
            "/application_root",
            "/etc",
            user.pw_dir,
            "/tmp",
            "/var/tmp",
        )
        if writable(folder)
    ],
    "trusted authorities": ssl.create_default_context().cert_store_stats()["x509_ca"],
    "certificates": {
        path.name: path.read_text().count("BEGIN CERTIFICATE")
        for path in certificates.iterdir()
    },
    "summer in Berlin": str(datetime.datetime(2021, 7, 1, tzinfo=berlin).utcoffset()),
    "names in Tokyo": time.tzname,
    "locale": chosen,
    "encoding": locale.getpreferredencoding(),
    "umlauts": "\u00e4\u00e4",
    "localhost": socket.getaddrinfo("localhost", 80)[0][4][0],
    "not importable": [
        name
        for name in MODULES
        if sys.version_info < REMOVED.get(name, (4,)) and not importable(name)
    ],
    "gunicorn's byte code": {
        "path": os.path.realpath(cached),
        "exists": os.path.exists(cached),
        "flags": pathlib.Path(cached).read_bytes()[4],
    },
}
sys.stdout.write(json.dumps(facts, ensure_ascii=False))
