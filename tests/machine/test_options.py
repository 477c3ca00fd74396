"""What is wrong with a call of mkApplication is said in one line."""

from __future__ import annotations

import re

import pytest

from .conftest import Project


def refusal(project: Project) -> str:
    """The line with which Nix refuses the project's images."""
    attribute = ".#packages.x86_64-linux.default.drvPath"
    done = project.mirror("eval", "--raw", attribute, check=False)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if "mkApplication" in line]
    (line,) = [line for line in lines if "error: " in line]
    return str(line.partition("mkApplication: ")[2])


@pytest.mark.parametrize(
    "arguments, told",
    [
        ('image = "x";', 'there is no option "image": the options are app'),
        ('imageName = "Upper";', "imageName is not allowed as it is: expected a repo"),
        ('imageTag = "a b";', "imageTag is not allowed as it is: expected an image"),
        ('applicationModule = "app/main.py";', "applicationModule is not allowed"),
        ('python = "python27";', "python is not allowed as it is"),
        ('python = "python399";', "the package source has no python399"),
        ("files.motd = ./flake.nix;", "files is not allowed as it is"),
        ("packages = [ ];", "packages is not allowed as it is: expected a function"),
        ("environmentVariables.WORKERS = 2;", "environmentVariables is not allowed"),
        ("user.id = 0;", "user is not allowed as it is"),
        ('user.uid = "x";', "user is not allowed as it is"),
        ("labels = [ ];", "labels is not allowed as it is"),
        ('sources = [ "../secret" ];', "sources is not allowed as it is"),
        ('sources = [ "app" "gone" ];', "there is no gone in projectDir: put it there"),
        ('groups = [ "main" ]; developmentGroups = [ "docs" ];', ""),
    ],
)
def test_bad_options(project: Project, arguments: str, told: str) -> None:
    project.write_flake(f"{{ projectDir = ./.; {arguments} }}")
    if told:
        assert refusal(project).startswith(
            ("the option " + told) if "not allowed" in told else told
        )
    else:
        # the production image needs no development group
        project.mirror("eval", "--raw", ".#packages.x86_64-linux.default.drvPath")


def test_the_documentation_lists_the_options(project: Project) -> None:
    project.write_flake("{ projectDir = ./.; nothing = 1; }")
    options = refusal(project).partition("the options are ")[2].split(", ")
    text = (project.base / "README.md").read_text()
    table = text.partition("| option of `lib.mkApplication` ")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE)
    names = re.findall(r"`(\w+)`", " ".join(cells))
    # `system` chooses among the flake's package sets, and is no option of the call.
    assert sorted(names) == sorted([*options, "system"])


def test_the_project_is_required(project: Project) -> None:
    project.write_flake("{ }")
    assert refusal(project).startswith("the option projectDir is missing: the folder")


@pytest.mark.parametrize(
    "name, told",
    [
        ("pyproject.toml", "there is no pyproject.toml in projectDir: "),
        ("poetry.lock", "there is no poetry.lock in projectDir: poetry lock"),
        ("app", "there is no app in projectDir: put it there"),
    ],
)
def test_missing_files(project: Project, name: str, told: str) -> None:
    (project.folder / name).rename(project.folder / "elsewhere")
    assert refusal(project).startswith(told)


@pytest.mark.parametrize(
    "old, new, told",
    [
        ("[tool.poetry", "[tool.other", "pyproject.toml has no table tool.poetry or"),
        ('version = "0.1.0"\n', "", "pyproject.toml has no version: put one into"),
        (
            "[tool.poetry.group.dev.dependencies]",
            "[tool.poetry.dev-dependencies]",
            "pyproject.toml has the table tool.poetry.dev-dependencies, which",
        ),
    ],
)
def test_unfit_project_files(project: Project, old: str, new: str, told: str) -> None:
    file = project.folder / "pyproject.toml"
    file.write_text(file.read_text().replace(old, new))
    assert refusal(project).startswith(told)


def test_an_image_without_its_program(project: Project) -> None:
    file = project.folder / "pyproject.toml"
    file.write_text(file.read_text().replace('black = "^26.0"\n', ""))
    project.write_flake("{ projectDir = ./.; }")
    attribute = ".#application.images.black.drvPath"
    done = project.mirror("eval", "--raw", attribute, check=False)
    assert (
        "mkApplication: application has no black among its development dependencies:"
        " poetry add --group dev black"
    ) in done.stderr
    names = project.mirror(
        "eval", "--json", "--apply", "builtins.attrNames", ".#packages.x86_64-linux"
    )
    assert names.stdout == '["default","image","image-development","image-test"]'


def test_a_lock_without_a_server(project: Project) -> None:
    file = project.folder / "pyproject.toml"
    text = file.read_text()
    for name in ("gunicorn", "uvicorn-worker"):
        (line,) = [line for line in text.splitlines() if line.startswith(f"{name} =")]
        text = text.replace(line + "\n", "")
    file.write_text(text)
    # As Poetry would lock it: nothing but the content-hash changes.
    lock = project.folder / "poetry.lock"
    lock.write_text(
        "".join(
            line
            for line in lock.read_text().splitlines(keepends=True)
            if not line.startswith("content-hash")
        )
    )
    done = project.mirror("build", "--no-link", check=False)
    assert done.returncode == 1
    assert (
        "mkApplication: the locked packages of application have no gunicorn:"
        " poetry add gunicorn uvicorn"
    ) in done.stderr
