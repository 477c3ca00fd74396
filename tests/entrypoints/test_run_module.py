"""A module run as process 1 is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

RUN_MODULE = Path(__file__).parents[2] / "nix/entrypoints/run_module.py"


def start(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """Run the program in a folder."""
    return subprocess.Popen(
        [sys.executable, str(RUN_MODULE), *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_arguments_and_status_are_the_modules(tmp_path: Path) -> None:
    (tmp_path / "echo.py").write_text(
        "import sys\nprint(__name__, sys.argv[1:], sys.path[0])\nsys.exit(7)\n"
    )
    process = start(tmp_path, "echo", "--flag", "a b")
    printed, _ = process.communicate(timeout=60)
    assert printed == f"__main__ ['--flag', 'a b'] {tmp_path}\n"
    assert process.returncode == 7


def test_a_module_that_ends_without_a_word_has_succeeded(tmp_path: Path) -> None:
    (tmp_path / "quiet.py").touch()
    process = start(tmp_path, "quiet")
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_a_missing_module_is_one_line(tmp_path: Path) -> None:
    process = start(tmp_path, "nothing_of_that_name")
    printed, told = process.communicate(timeout=60)
    assert (process.returncode, printed) == (127, "")
    (line,) = told.splitlines()
    assert line.startswith(f"nothing_of_that_name is not installed in {sys.prefix}: ")
    assert line.endswith("poetry add --group dev nothing_of_that_name")


def test_sigterm_interrupts(tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(
        "import sys, time\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
        "except KeyboardInterrupt:\n"
        "    print('interrupted')\n"
        "    sys.exit(2)\n"
    )
    process = start(tmp_path, "waiting")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate(timeout=60)
    assert (printed, process.returncode) == ("interrupted\n", 2)
