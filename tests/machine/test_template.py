"""The README's story: a new project from the template, a dependency, an image, an answer."""

from __future__ import annotations

from pathlib import Path

from image.conftest import StartContainer

from .conftest import Project, run

GREETER = """\
[tool.poetry]
name = "greeter"
version = "1.2.0"
description = "Greets"
authors = []

[tool.poetry.dependencies]
python = ">=3.9"

[build-system]
requires = ["poetry-core>=1.0.0"]
build-backend = "poetry.core.masonry.api"
"""
ROUTE = """

@app.get("/orjson")
def read_numbers() -> list[int]:
    \"\"\"Numbers, read by orjson.\"\"\"
    return list(orjson.loads(b"[1, 2]"))
"""


def test_a_new_project(
    base: Path, tmp_path: Path, start_archive: StartContainer
) -> None:
    project = Project(tmp_path / "my-project", base)
    project.folder.mkdir()
    project.mirror("flake", "init", "-t", str(base))
    run(project.folder, "git", "init", "--quiet")
    run(project.folder, "git", "add", ".")
    project.mirror("run", ".#poetry", "--", "add", "--lock", "orjson")
    changed = run(project.folder, "git", "diff", "--name-only").stdout.split()
    assert changed == ["poetry.lock", "pyproject.toml"]
    main = project.folder / "app/main.py"
    text = main.read_text().replace("from fastapi", "import orjson\nfrom fastapi", 1)
    main.write_text(text + ROUTE)
    container = start_archive(project.build())
    assert container.get("/").json() == "Hello World!"
    assert container.get("/orjson").json() == [1, 2]
    project.mirror("flake", "check")


def test_source_only_and_path_dependencies(
    project: Project, start_archive: StartContainer
) -> None:
    greeter = project.folder / "libs/greeter"
    (greeter / "greeter").mkdir(parents=True)
    (greeter / "pyproject.toml").write_text(GREETER)
    (greeter / "greeter/__init__.py").write_text("WORD = 'hello'\n")
    # docopt has no wheel
    words = ("docopt==0.6.2", "./libs/greeter")
    project.mirror("run", ".#poetry", "--", "add", "--lock", *words)
    container = start_archive(project.build())
    told = container.python(
        "import docopt, greeter; print(docopt.__name__, greeter.WORD)"
    )
    assert told == "docopt hello"
