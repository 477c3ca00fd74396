"""The contract of the images, asked of running containers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from .archive import Image
from .conftest import PLATFORMS, Container, StartContainer

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


@pytest.fixture(
    scope="module",
    params=[
        "app-example",
        pytest.param("app-example-modern", marks=pytest.mark.platform),
        *(pytest.param(name, marks=pytest.mark.platform) for name in PLATFORMS),
    ],
)
def container(
    request: pytest.FixtureRequest,
    start_for_module: StartContainer,
    platform_application: Path,
) -> Container:
    """A container of each image, the platforms' with a mounted application."""
    options: tuple[str, ...] = ()
    if request.param in PLATFORMS:
        options = ("--volume", f"{platform_application}:/application_root/app:ro")
    return start_for_module(request.param, options=options)


# What differs from the defaults, in the images that differ.
DIFFERENCES = {
    f"{project}-development": {"RELOAD": "True", "LOG_LEVEL": "debug"}
    for project in ("app-example", "app-example-modern")
}
# Modules of the standard library that import nowhere but where they belong.
ELSEWHERE = {
    *("asyncio.windows_events", "asyncio.windows_utils", "distutils._msvccompiler"),
    *("distutils.command.bdist_msi", "distutils.msvc9compiler", "encodings.mbcs"),
    *("encodings.oem", "multiprocessing.popen_spawn_win32", "_ios_support"),
    "_pyrepl.windows_console",
    "dbm.gnu",  # licensed otherwise, packaged apart
    "_pyrepl._minimal_curses",  # asks ldconfig; stands in for _curses, which is there
    "lib2to3.pgen2.conv",  # written for Python 2
    "_distutils_system_mod",  # Debian's, for pip alone
}
OTHER_ENTRYPOINTS = {
    f"{project}-{program}": [f"/entrypoints/{entrypoint}_entrypoint.sh"]
    for project in ("app-example", "app-example-modern")
    for program, entrypoint in (("test", "pytest"), ("black", "black"))
}


def test_environment_defaults(archives: Mapping[str, Image]) -> None:
    for name, image in archives.items():
        environment = image.environment
        expected = {**DEFAULTS, **DIFFERENCES.get(name, {})}
        assert {key: environment.get(key) for key in DEFAULTS} == expected
        path = environment["PATH"].split(":")
        assert path[:2] == ["/application_server/bin", "/application_root/.venv/bin"]


def test_image_configuration(archives: Mapping[str, Image]) -> None:
    server = ["gunicorn", "-c", "/application_server/gunicorn_configuration.py"]
    for name, image in archives.items():
        config = image.configuration["config"]
        assert config["Entrypoint"] == OTHER_ENTRYPOINTS.get(name, server)
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


@pytest.fixture(scope="module")
def facts(container: Container) -> Mapping[str, Any]:
    """What one Python program finds out inside the container (container_facts.py)."""
    program = Path(__file__).with_name("container_facts.py").read_text()
    return dict(json.loads(container.python(program)))


def test_the_real_python(facts: Mapping[str, Any]) -> None:
    assert facts["version"] == facts["environment"]["PYTHON_VERSION"]
    assert facts["prefix"] == "/application_root/.venv"


def test_gunicorn_is_process_1(facts: Mapping[str, Any]) -> None:
    assert "gunicorn" in facts["process 1"]
    assert facts["children of process 1"] == 1


def test_users(facts: Mapping[str, Any]) -> None:
    assert facts["user"] == ["application", 1001, 0, "root"]
    assert facts["home"] == "/home/application"
    assert facts["writable"] == [
        "/application_root",
        "/home/application",
        "/tmp",
        "/var/tmp",
    ]


def test_certificates(facts: Mapping[str, Any]) -> None:
    assert facts["environment"]["SSL_CERT_FILE"] == "/etc/ssl/certs/ca-bundle.crt"
    assert facts["trusted authorities"] > 100
    for name in ("ca-bundle.crt", "ca-certificates.crt"):
        assert facts["certificates"][name] > 100


def test_time_zones(facts: Mapping[str, Any]) -> None:
    assert facts["summer in Berlin"] == "2:00:00"
    assert facts["names in Tokyo"] == ["JST", "JST"]


def test_locale_is_utf_8(facts: Mapping[str, Any]) -> None:
    assert facts["locale"] == "C.UTF-8"
    assert facts["encoding"] == "UTF-8"
    assert facts["umlauts"] == "ää"


def test_names_are_resolved(facts: Mapping[str, Any]) -> None:
    assert facts["localhost"] in ("127.0.0.1", "::1")


def test_standard_library_imports(facts: Mapping[str, Any]) -> None:
    assert facts["not importable"] == []


def test_byte_code_is_present_and_current(facts: Mapping[str, Any]) -> None:
    assert facts["gunicorn's byte code"]["exists"]
    # PEP 552: 1 is an unchecked hash, 3 a checked one
    in_store = facts["gunicorn's byte code"]["path"].startswith("/nix/store/")
    assert facts["gunicorn's byte code"]["flags"] == (1 if in_store else 3)


@pytest.mark.platform
@pytest.mark.parametrize("platform", PLATFORMS)
def test_platform_virtual_environment_is_writable(
    start: StartContainer, platform_application: Path, platform: str
) -> None:
    container = start(
        platform,
        options=("--volume", f"{platform_application}:/application_root/app"),
    )
    place = container.python("import gunicorn; print(gunicorn.__file__)")
    assert place.startswith("/application_root/.venv/lib/")
    container.run("touch", f"{place}.new")
    settings = container.run("poetry", "config", "--list")
    assert "virtualenvs.in-project = true" in settings


def test_every_module_of_the_standard_library_imports(container: Container) -> None:
    program = Path(__file__).with_name("standard_library.py").read_text()
    # without `site`, by which setuptools puts its own distutils in the place of Python's
    found = json.loads(container.run("python", "-IS", "-c", program))
    assert len(found["modules"]) > 600
    assert {"_ctypes", "json.decoder", "pydoc_data.topics"} < set(found["modules"])
    unexpected = set(found["failures"]) - ELSEWHERE
    assert not {name: found["failures"][name] for name in unexpected}
