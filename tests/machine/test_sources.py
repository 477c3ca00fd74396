"""What of a project's folder reaches its images."""

from __future__ import annotations

from pathlib import Path

from image.archive import Image

from .conftest import Project, run

LITTER = [
    "app/.venv/pyvenv.cfg",
    "app/environment/pyvenv.cfg",
    "app/environment/bin/python",
    "app/__pycache__/other.cpython-313.pyc",
    "app/old.pyc",
    "app/.pytest_cache/README.md",
    "app/.mypy_cache/x",
    "app/.ruff_cache/x",
    "app/.hypothesis/x",
    "app/.git/config",
    "app/.hg/store",
    "app/.svn/entries",
    "app/.coverage",
    "app/.coverage.host.1",
    "app/coverage.xml",
    "app/htmlcov/index.html",
    "app/.env",
    "app/.DS_Store",
    "app/main.py~",
    "app/application.egg-info/PKG-INFO",
]
BYTE_CODE = {
    "app/__pycache__/__init__.cpython-313.pyc",
    "app/__pycache__/main.cpython-313.pyc",
}
KEPT = [
    "app/templates/index.html",
    "app/static/logo.svg",
    "app/.hidden",
    "app/data.bin",
]


def write(folder: Path, names: list[str]) -> None:
    """Write files of these names."""
    for name in names:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("something\n")


def application_files(image: Path) -> set[str]:
    """The regular files below /application_root."""
    return {
        entry.path.removeprefix("/application_root/")
        for entry in Image(image).entries
        if entry.path.startswith("/application_root/") and entry.info.isfile()
    }


def test_litter_reaches_no_image(project: Project) -> None:
    write(project.folder, [*LITTER, *KEPT])
    own = {"app/__init__.py", "app/main.py"}
    assert application_files(project.build()) == own | set(KEPT) | BYTE_CODE
    more = {"tests/__init__.py", "tests/test_main.py", "pyproject.toml"}
    files = application_files(project.build(".#image-test"))
    assert files == own | set(KEPT) | more


def test_tracked_litter_reaches_no_image_either(project: Project) -> None:
    run(project.folder, "git", "init", "--quiet")
    write(project.folder, ["app/.env", "app/.coverage", "app/old.pyc", "app/data.bin"])
    run(project.folder, "git", "add", "--all", "--force")
    files = application_files(project.build())
    own = {"app/__init__.py", "app/main.py", "app/data.bin"}
    assert files == own | BYTE_CODE


def test_a_changed_test_changes_no_production_image(project: Project) -> None:
    production, test = project.build(), project.build(".#image-test")
    main = project.folder / "tests/test_main.py"
    main.write_text(main.read_text() + "\n\ndef test_more() -> None:\n    pass\n")
    (project.folder / "README.md").write_text("# Application\n")
    assert project.build() == production
    assert project.build(".#image-test") != test
