"""The example's development, test and black images."""

from __future__ import annotations

import os
import xml.etree.ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from .archive import Image
from .conftest import PLATFORMS, Container, StartContainer, docker, poll

RELOAD_SECONDS = 2.0


def layer_paths(image: Image, layer: int) -> list[str]:
    """What a layer holds."""
    return sorted(entry.path for entry in image.entries if entry.layer == layer)


def test_development_images_differ_by_configuration_alone(
    archives: Mapping[str, Image]
) -> None:
    names = ("app-example-development", "app-example-test", "app-example-black")
    assert len({tuple(archives[name].layers) for name in names}) == 1


@pytest.mark.parametrize("name", ["development", "test", "black"])
def test_names_are_the_projects(archives: Mapping[str, Image], name: str) -> None:
    image = archives[f"app-example-{name}"]
    assert image.manifest["RepoTags"] == [f"app-example-{name}:1.0.0"]


def test_tests_and_project_file_lie_beside_the_application(
    archives: Mapping[str, Image]
) -> None:
    image = archives["app-example-test"]
    assert layer_paths(image, len(image.layers) - 1) == [
        "/",
        "/application_root",
        "/application_root/app",
        "/application_root/app/__init__.py",
        "/application_root/app/main.py",
        "/application_root/pyproject.toml",
        "/application_root/tests",
        "/application_root/tests/__init__.py",
        "/application_root/tests/test_main.py",
    ]


def test_the_development_image_serves_in_development_mode(
    start: StartContainer, archives: Mapping[str, Image]
) -> None:
    environment = archives["app-example-development"].environment
    assert (environment["RELOAD"], environment["LOG_LEVEL"]) == ("True", "debug")
    container = start("app-example-development")
    assert container.get().json() == "Hello World!"
    assert container.python("import pytest, black; print(1)") == "1"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """An application whose answer comes from two packages further down."""
    deep = tmp_path / "app/shop/pricing"
    deep.mkdir(parents=True)
    for folder in (tmp_path / "app", tmp_path / "app/shop", deep):
        (folder / "__init__.py").touch()
    (tmp_path / "app/main.py").write_text(
        "from fastapi import FastAPI\n"
        "from app.shop.pricing.rates import rate\n"
        "app = FastAPI()\n"
        "app.get('/')(rate)\n"
    )
    write_rate(tmp_path, 1)
    tmp_path.chmod(0o755)
    return tmp_path


def write_rate(sources: Path, number: int) -> None:
    """Write what the application answers, replacing the file at once."""
    part = sources / "app/shop/pricing/rates.py.part"
    part.write_text(f"def rate():\n    return {number}\n")
    part.rename(part.with_suffix(""))


def test_an_edit_two_packages_deep_changes_the_answer(
    start: StartContainer, sources: Path
) -> None:
    mount = ("--volume", f"{sources}/app:/application_root/app")
    container: Container = start("app-example-development", options=mount)
    for number in (1, 2, 3):
        write_rate(sources, number)
        poll(lambda: container.answer() == str(number), "the edit", RELOAD_SECONDS)


@pytest.fixture
def reports(tmp_path: Path) -> Iterator[Path]:
    """A host folder for reports that belongs to somebody."""
    folder = tmp_path / "reports"
    folder.mkdir(mode=0o700)
    tmp_path.chmod(0o755)
    yield folder


def test_the_test_image_reports_coverage(start: StartContainer) -> None:
    container = start("app-example-test", served=False)
    assert container.wait() == 0
    assert "6 passed" in container.logs()
    place = "/test_coverage_reports/unit_tests_coverage.xml"
    text = docker("cp", f"{container.identity}:{place}", "-", check=False)
    assert "unit_tests_coverage.xml" in text


@pytest.mark.parametrize("user", ["1001:0", "4242:4242"])
def test_reports_land_in_a_mounted_folder(
    start: StartContainer, reports: Path, user: str
) -> None:
    os.chown(reports, *map(int, user.split(":")))
    mount = f"{reports}:/test_coverage_reports"
    options = ("--user", user, "--volume", mount, "--read-only", "--tmpfs", "/tmp")
    container = start("app-example-test", options=options, served=False)
    assert container.wait() == 0, container.logs()
    report = reports / "unit_tests_coverage.xml"
    root = xml.etree.ElementTree.parse(report).getroot()
    assert root.tag == "coverage" and float(root.attrib["line-rate"]) == 1.0
    assert report.stat().st_uid == int(user.partition(":")[0])


@pytest.mark.parametrize(
    "arguments, status, printed",
    [
        (("-k", "greets"), 0, "1 passed, 5 deselected"),
        (("-k", "no_such_test"), 5, "6 deselected"),
        (("--no-such-option",), 4, "unrecognized arguments: --no-such-option"),
        (("--version",), 0, "pytest 7."),
        (("--lf", "-q"), 0, "6 passed"),
    ],
)
def test_arguments_are_pytests(
    start: StartContainer, arguments: tuple[str, ...], status: int, printed: str
) -> None:
    container = start("app-example-test", *arguments, served=False)
    assert (container.wait(), printed in container.logs()) == (status, True)


def test_a_failing_test_fails_the_container(
    start: StartContainer, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "test_wrong.py").write_text("def test_wrong():\n    assert 1 == 2\n")
    mount = ("--volume", f"{tmp_path}:/application_root/tests")
    container = start("app-example-test", options=mount, served=False)
    assert container.wait() == 1
    assert "1 failed" in container.logs()


def test_stopping_interrupts_the_tests(start: StartContainer, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "test_endless.py").write_text(
        "import time\n\ndef test_endless():\n    print('under way', flush=True)\n"
        "    time.sleep(600)\n"
    )
    mount = ("--volume", f"{tmp_path}:/application_root/tests")
    container = start("app-example-test", "-s", options=mount, served=False)
    poll(lambda: "under way" in container.logs(), "the test")
    docker("stop", "--time", "60", container.identity)
    assert container.wait() == 2
    assert "KeyboardInterrupt" in container.logs()


def test_the_black_image_checks_the_format(start: StartContainer) -> None:
    container = start("app-example-black", served=False)
    assert container.wait() == 0
    assert "4 files would be left unchanged" in container.logs()


@pytest.mark.parametrize(
    "arguments, status", [((), 1), (("app",), 123), (("--no-such-option",), 2)]
)
def test_arguments_and_status_are_blacks(
    start: StartContainer, tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    tmp_path.chmod(0o755)
    text = "x = 'one'\n" if not arguments else "def (:\n"
    (tmp_path / "main.py").write_text(text)
    mount = ("--volume", f"{tmp_path}:/application_root/app")
    container = start("app-example-black", *arguments, options=mount, served=False)
    assert container.wait() == status


def test_lines_are_80_columns(start: StartContainer, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    line = "xy = [" + ", ".join(["100"] * 15) + "]\n"
    assert len(line.strip()) == 80
    (tmp_path / "main.py").write_text(line)
    mount = ("--volume", f"{tmp_path}:/application_root/app")
    container = start("app-example-black", options=mount, served=False)
    assert container.wait() == 0, container.logs()
    (tmp_path / "main.py").write_text(line.replace("x", "xx"))
    container = start("app-example-black", options=mount, served=False)
    assert container.wait() == 1


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("program", ["pytest", "black"])
def test_the_platform_has_the_entrypoints_without_the_programs(
    start: StartContainer, platform: str, program: str
) -> None:
    options = ("--entrypoint", f"/entrypoints/{program}_entrypoint.sh")
    container = start(platform, options=options, served=False)
    assert container.wait() == 127
    (line,) = container.logs().splitlines()
    assert line.startswith(f"{program} is not installed in /application_root/.venv: ")
