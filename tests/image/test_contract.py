"""The contract of the images, asked of running containers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from .archive import Image
from .conftest import Container, StartContainer

DEFAULTS = {
    "LOG_LEVEL": "info",
    "ACCESS_LOG": "-",
    "ERROR_LOG": "-",
    "RELOAD": "False",
    "WORKERS": "1",
    "TIMEOUT": "30",
    "GRACEFUL_TIMEOUT": "30",
    "KEEP_ALIVE": "2",
    "WORKER_TMP_DIR": "/dev/shm",
    "BIND": "0.0.0.0:80",
    "PYTHONUNBUFFERED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": "/application_root",
    "VIRTUAL_ENVIRONMENT_PATH": "/application_root/.venv",
}
REPORT = {
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


pytestmark = pytest.mark.core


@pytest.fixture(scope="module", params=["app-example", "platform"])
def container(
    request: pytest.FixtureRequest,
    start_for_module: StartContainer,
    platform_application: Path,
) -> Container:
    """A container of each image, the platform's with a mounted application."""
    options: tuple[str, ...] = ()
    if request.param == "platform":
        options = ("--volume", f"{platform_application}:/application_root/app:ro")
    return start_for_module(request.param, options=options)


def test_environment_defaults(archives: Mapping[str, Image]) -> None:
    for name in ("app-example", "platform"):
        environment = archives[name].environment
        assert {key: environment.get(key) for key in DEFAULTS} == DEFAULTS
        assert environment["PATH"].startswith("/application_root/.venv/bin:")


def test_image_configuration(archives: Mapping[str, Image]) -> None:
    for name in ("app-example", "platform"):
        config = archives[name].configuration["config"]
        assert config["Entrypoint"] == [
            "gunicorn",
            "-c",
            "/application_server/gunicorn_configuration.py",
        ]
        assert config["WorkingDir"] == "/application_root"
        assert config["ExposedPorts"] == {"80/tcp": {}}
        assert config["User"] == "1001:0"


def test_configuration_is_reported(container: Container) -> None:
    printed = container.run(
        "python", "/application_server/gunicorn_configuration.py"
    ).strip()
    told = json.loads(printed)
    assert {key: told[key] for key in REPORT} == REPORT
    objects = [line for line in container.logs().splitlines() if line.startswith("{")]
    assert [json.loads(line) for line in objects] == [told]


def test_the_real_python(container: Container) -> None:
    version = container.python("import platform; print(platform.python_version())")
    assert version == container.run("sh", "-c", "echo $PYTHON_VERSION").strip()
    prefix = container.python("import sys; print(sys.prefix)")
    assert prefix == "/application_root/.venv"


def test_gunicorn_is_process_1(container: Container) -> None:
    assert "gunicorn" in container.run("cat", "/proc/1/cmdline")
    assert len(container.worker_pids()) == 1


def test_users(container: Container) -> None:
    code = "import os, pwd, grp; u = pwd.getpwuid(os.getuid());"
    code += "print(u.pw_name, u.pw_uid, u.pw_gid, grp.getgrgid(u.pw_gid).gr_name)"
    assert container.python(code) == "application 1001 0 root"
    container.run("touch", "/application_root/written", "/tmp/written", "/var/tmp/w")
    code = "import pathlib; p = pathlib.Path.home() / 'x'; p.touch(); print(p)"
    assert container.python(code) == "/home/application/x"


def test_certificates(container: Container) -> None:
    code = (
        "import ssl, os; c = ssl.create_default_context();"
        "print(c.cert_store_stats()['x509_ca'] > 100, os.environ['SSL_CERT_FILE'])"
    )
    assert container.python(code) == "True /etc/ssl/certs/ca-bundle.crt"
    for name in ("ca-bundle.crt", "ca-certificates.crt"):
        content = container.run("cat", f"/etc/ssl/certs/{name}")
        assert content.count("BEGIN CERTIFICATE") > 100


def test_time_zones(container: Container) -> None:
    code = (
        "import datetime, zoneinfo; z = zoneinfo.ZoneInfo('Europe/Berlin');"
        "print(datetime.datetime(2021, 7, 1, tzinfo=z).utcoffset())"
    )
    assert container.python(code) == "2:00:00"
    code = "import os, time; os.environ['TZ'] = 'Asia/Tokyo'; time.tzset();"
    code += "print(time.tzname)"
    assert container.python(code) == "('JST', 'JST')"


def test_locale_is_utf_8(container: Container) -> None:
    code = "import locale; print(locale.setlocale(locale.LC_ALL, ''))"
    assert container.python(code) == "C.UTF-8"
    code = "import locale, sys; print(locale.getpreferredencoding(), '\\u00e4' * 2)"
    assert container.python(code) == "UTF-8 ää"


def test_names_are_resolved(container: Container) -> None:
    code = "import socket; print(socket.getaddrinfo('localhost', 80)[0][4][0])"
    assert container.python(code) in ("127.0.0.1", "::1")


def test_standard_library_imports(container: Container) -> None:
    code = (
        "import bz2, ctypes, curses, dbm, decimal, distutils.core, lzma, readline,"
        " sqlite3, ssl, uuid, venv, zlib;"
        "sqlite3.connect(':memory:').execute('select 1'); print('imported')"
    )
    assert container.python(code) == "imported"


def test_store_byte_code_is_used_and_current(container: Container) -> None:
    code = (
        "import gunicorn.app.base as m, os;"
        "print(os.path.exists(m.__cached__), open(m.__cached__, 'rb').read(8)[4])"
    )
    present, flags = container.python(code).split()
    in_store = container.python(
        "import gunicorn, os; print(os.path.realpath(gunicorn.__file__))"
    )
    assert present == "True"
    # PEP 552: 1 is an unchecked hash, 3 a checked one
    assert flags == ("1" if in_store.startswith("/nix/store") else "3")


def test_platform_virtual_environment_is_writable(
    start: StartContainer, platform_application: Path
) -> None:
    container = start(
        "platform",
        options=("--volume", f"{platform_application}:/application_root/app"),
    )
    place = container.python("import gunicorn; print(gunicorn.__file__)")
    assert place.startswith("/application_root/.venv/lib/")
    container.run("touch", f"{place}.new")
    settings = container.run("poetry", "config", "--list")
    assert "virtualenvs.in-project = true" in settings
