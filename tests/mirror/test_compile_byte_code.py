"""Byte code that is the same in every build."""

from __future__ import annotations

import importlib.machinery
import os
import subprocess
import sys
from pathlib import Path

import compile_byte_code
import pytest

MODULES = {
    "a.py": b"f = lambda x: x in {'one', 'two', 'three', 'four', 'five'}\n",
    "deep/b.py": b"def f(x={'four', 'five'}): return x in {'six', 'seven'}\n",
    "deep/c.py": b"class C:\n    four = 'four'\n    \"\\d\"\n",
    "d.py": b"from a import NAMES\n",
    "e.py": b"\n",
    "broken.py": b"def:\n",
    "latin.py": b"x = '\xe9'\n",
    "null.py": b"\0",
    "text.txt": b"",
}


def make(folder: Path, names: list[str]) -> Path:
    """A folder with these modules, made in this order."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(MODULES[name])
    return folder


def compile_folder(
    folder: Path, *words: str, seed: str = "random"
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-I", "-B", compile_byte_code.__file__, str(folder), *words],
        env={**os.environ, "PYTHONHASHSEED": seed},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def byte_code(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.pyc")
    }


def test_the_same_bytes_whatever_the_order_and_the_cores(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    results = []
    orders = (list(MODULES), list(MODULES)[::-1], sorted(MODULES))
    for names, jobs, seed in zip(orders, ("1", "8", "3"), ("random", "1", "2")):
        make(folder, names)
        done = compile_folder(folder, "--jobs", jobs, seed=seed)
        assert (done.returncode, done.stdout) == (0, "")
        results.append(byte_code(folder))
        folder.rename(tmp_path / f"done-{jobs}")
    assert results[0] == results[1] == results[2]
    modules = {name.rpartition("/")[2].partition(".")[0] for name in results[0]}
    assert modules == {"a", "b", "c", "d", "e"}


@pytest.mark.parametrize("mode, flags", [("unchecked", 1), ("checked", 3)])
def test_the_mode_stands_in_the_files(mode: str, flags: int, tmp_path: Path) -> None:
    make(tmp_path, ["a.py"])
    assert compile_folder(tmp_path, "--mode", mode).returncode == 0
    (content,) = byte_code(tmp_path).values()
    assert int.from_bytes(content[4:8], "little") == flags


@pytest.mark.parametrize(
    "mode, printed", [("unchecked", "old\n"), ("checked", "new\n")]
)
def test_what_a_mode_means_after_an_edit(
    mode: str, printed: str, tmp_path: Path
) -> None:
    (tmp_path / "module.py").write_text("print('old')")
    compile_folder(tmp_path, "--mode", mode)
    (tmp_path / "module.py").write_text("print('new')")
    done = subprocess.run(
        [sys.executable, "-c", "import module"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert done.stdout == printed


def test_each_module_is_in_one_share(tmp_path: Path) -> None:
    names = [f"m{number}.py" for number in range(11)]
    for name in names:
        (tmp_path / name).touch()
    counts = []
    for share in range(compile_byte_code.SHARES):
        before = len(byte_code(tmp_path))
        compile_byte_code.compile_share(tmp_path, share, "unchecked")
        counts.append(len(byte_code(tmp_path)) - before)
    assert sum(counts) == len(names) and max(counts) - min(counts) <= 1


def test_an_empty_folder(tmp_path: Path) -> None:
    assert compile_byte_code.main([str(tmp_path)]) == 0


def test_a_share_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compile_byte_code, "__file__", str(tmp_path / "nowhere.py"))
    assert compile_byte_code.main([str(tmp_path)]) == 1


def test_what_an_extension_module_hides_is_left_out(tmp_path: Path) -> None:
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    for name in ("hidden.py", f"hidden{suffix}", "seen.py"):
        (tmp_path / name).touch()
    assert compile_folder(tmp_path).returncode == 0
    assert [Path(name).name.partition(".")[0] for name in byte_code(tmp_path)] == [
        "seen"
    ]


def test_modules_that_stay_as_source(tmp_path: Path) -> None:
    make(tmp_path, ["a.py", "deep/b.py", "deep/c.py", "d.py"])
    (tmp_path / "deep" / "a.py").touch()
    assert compile_folder(tmp_path, "--without", "a.py").returncode == 0
    compiled = {name.partition(".")[0] for name in byte_code(tmp_path)}
    inside = {f"deep/__pycache__/{name}" for name in "abc"}
    assert compiled == {"__pycache__/d", *inside}


def test_folders_that_stay_as_source(tmp_path: Path) -> None:
    make(tmp_path, ["a.py", "deep/b.py", "d.py"])
    words = ("--without", "deep/*", "--without", "d.py")
    assert compile_folder(tmp_path, *words).returncode == 0
    assert [Path(name).name.partition(".")[0] for name in byte_code(tmp_path)] == ["a"]
