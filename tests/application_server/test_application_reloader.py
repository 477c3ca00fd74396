"""The reloader: which files it watches, and what it takes for a change."""

from __future__ import annotations

import os
import queue
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from .conftest import DEADLINE


@pytest.fixture
def watch(reloader: ModuleType, tmp_path: Path) -> Any:
    """A reloader for a folder with one file, not started."""
    (tmp_path / "module.py").write_text("value = 1\n")
    os.utime(tmp_path / "module.py", (1_000_000_000, 1_000_000_000))
    return reloader.ApplicationReloader(str(tmp_path), print)


def test_nothing_changes_by_itself(watch: Any) -> None:
    assert [watch.changed_file() for _ in range(3)] == [None, None, None]


@pytest.mark.parametrize("time", [0, 999_999_999, 1_000_000_001, 4_000_000_000])
def test_any_other_time_is_a_change(watch: Any, tmp_path: Path, time: int) -> None:
    path = tmp_path / "module.py"
    os.utime(path, (time, time))
    assert watch.changed_file() == str(path)


def test_another_size_at_the_same_time_is_a_change(watch: Any, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text("value = 10\n")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    assert watch.changed_file() == str(path)


def test_a_file_renamed_over_another_is_a_change(watch: Any, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    other = tmp_path / "module.py.new"
    other.write_text("value = 2\n")
    os.utime(other, (1_000_000_000, 1_000_000_000))
    assert watch.changed_file() is None
    other.replace(path)
    assert watch.changed_file() == str(path)


def test_a_file_that_appears_is_a_change(watch: Any, tmp_path: Path) -> None:
    path = tmp_path / "package" / "deep" / "new.py"
    path.parent.mkdir(parents=True)
    assert watch.changed_file() is None
    path.touch()
    assert watch.changed_file() == str(path)


def test_a_file_that_stays_away_is_a_change(watch: Any, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.rename(tmp_path / "kept")
    assert watch.changed_file() is None
    (tmp_path / "kept").rename(path)
    assert watch.changed_file() is None
    path.unlink()
    assert [watch.changed_file(), watch.changed_file()] == [None, str(path)]


def test_a_future_time_is_no_change_in_itself(
    reloader: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "module.py"
    path.touch()
    os.utime(path, (4_000_000_000, 4_000_000_000))
    watch = reloader.ApplicationReloader(str(tmp_path), print)
    assert watch.changed_file() is None


@pytest.mark.parametrize(
    "name",
    [".hidden.py", ".git/a.py", "__pycache__/a.py", "node_modules/x/a.py", "a.txt"]
    + ["lib/site-packages/a.py", "environment/lib/a.py"],
)
def test_files_that_nobody_edits_are_left_out(
    watch: Any, tmp_path: Path, name: str
) -> None:
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "pyvenv.cfg").touch()
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert watch.changed_file() is None


def test_imported_modules_are_watched_wherever_they_are(
    watch: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any
) -> None:
    path = tmp_path_factory.mktemp("elsewhere") / "imported.py"
    path.touch()
    module = ModuleType("imported")
    module.__file__ = f"{path}c"
    monkeypatch.setitem(sys.modules, "imported", module)
    monkeypatch.setitem(sys.modules, "strange", object())
    assert watch.changed_file() is None
    path.write_text("value = 1\n")
    assert watch.changed_file() == str(path)


def test_extra_files_and_patterns(
    reloader: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "code").mkdir()
    watch = reloader.ApplicationReloader("code", print, ["one.toml", "*.html"])
    assert watch.changed_file() is None
    (tmp_path / "one.toml").touch()
    assert watch.changed_file() == str(tmp_path / "one.toml")
    (tmp_path / "one.toml").unlink()
    (tmp_path / "new.html").touch()
    assert watch.changed_file() == str(tmp_path / "new.html")
    (tmp_path / "new.html").unlink()
    watch.add_extra_file("later.txt")
    assert watch.changed_file() is None
    (tmp_path / "later.txt").touch()
    assert watch.changed_file() == str(tmp_path / "later.txt")


def test_thread_reports_one_change_and_ends(
    reloader: ModuleType, tmp_path: Path
) -> None:
    changes: queue.Queue[str] = queue.Queue()
    watch = reloader.ApplicationReloader(str(tmp_path), changes.put, interval=0.01)
    assert watch.daemon
    watch.start()
    watch.start()
    (tmp_path / "new.py").touch()
    assert changes.get(timeout=DEADLINE) == str(tmp_path / "new.py")
    watch.join(DEADLINE)
    assert not watch.is_alive()


def test_thread_can_be_stopped(reloader: ModuleType, tmp_path: Path) -> None:
    watch = reloader.ApplicationReloader(str(tmp_path), print, interval=60)
    watch.start()
    watch.stop()
    watch.join(DEADLINE)
    assert watch not in threading.enumerate()
