"""Which derivations are built again, and what is said where builds are not the same.

tests/machine/test_rebuilds.py runs the whole program with Nix.
"""

from __future__ import annotations

import doctest
import os
import shutil
from pathlib import Path

import derivations
import difference_report
import pytest
import second_store
from derivations import Derivation, Difference, differences, forget
from setting import NotReproducible, Setting, settings

HERE = Path(__file__).parent


def test_examples() -> None:
    result = doctest.testmod(derivations)
    assert result.attempted and not result.failed


def test_fixed_and_unbuilt_outputs_are_known(tmp_path: Path) -> None:
    file = tmp_path / "x.drv"
    there = tmp_path / "there"
    there.touch()
    file.write_text(f'Derive([("out","{there}","","")],[],[],"x")')
    found = Derivation.read(str(file))
    assert found.is_built() and not found.fixed
    file.write_text(f'Derive([("out","{there}","sha256","00")],[],[],"x")')
    assert Derivation.read(str(file)).fixed
    file.write_text(f'Derive([("out","{there}-not","","")],[],[],"x")')
    assert not Derivation.read(str(file)).is_built()


def test_commands_run_under_the_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIX_CONFIG", "sandbox = true")
    setting = Setting(tmp_path, tmp_path, 0o077, 1, {"TZ": "Asia/Tokyo"}, store=HERE)
    script = 'umask; nproc; echo "$TZ $TMPDIR $NIX_REMOTE"; pwd; echo "$NIX_CONFIG"'
    said = setting.run("sh", "-c", script, cwd=tmp_path).splitlines()
    assert said[:2] == ["0077", "1"]
    assert said[2:4] == [f"Asia/Tokyo {tmp_path} {HERE}", str(tmp_path)]
    assert said[4:] == ["sandbox = true", "cores = 1"]


def test_a_failed_command_is_told_by_its_last_line(tmp_path: Path) -> None:
    setting = Setting(tmp_path, tmp_path, 0o077, 1)
    with pytest.raises(NotReproducible, match=r"^sh -c .*: no$"):
        setting.run("sh", "-c", "printf 'why \\342\\202\\n' >&2; echo no >&2; exit 3")


def test_settings_differ_in_all(tmp_path: Path) -> None:
    chosen = settings(tmp_path / "a", tmp_path / "b")
    assert len({setting.folder for setting in chosen}) == 3
    assert len({setting.build_folder for setting in chosen}) == 3
    assert len({setting.umask for setting in chosen}) == 3
    assert {setting.processors for setting in chosen} == {1, 2}
    for name in ("TZ", "LANG", "LC_ALL", "PYTHONHASHSEED"):
        assert len({setting.variables[name] for setting in chosen}) > 1
    assert [setting.store is None for setting in chosen] == [True, True, False]


def test_differences_are_read_of_what_nix_says() -> None:
    line = "\x1b[31;1merror:\x1b[0m derivation '\x1b[1m/x.drv\x1b[0m' may not be"
    line += " deterministic: output '\x1b[1m/y\x1b[0m' differs from '\x1b[1m/y.check"
    said = f"checking outputs\n{line}\x1b[0m'\n{line}\x1b[0m'\n"
    assert differences(said) == [Difference("/x.drv", "/y", "/y.check")]
    assert not differences("error: builder for '/x.drv' failed")


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_was_kept_is_removed(tmp_path: Path, kind: str) -> None:
    kept = tmp_path / "y.check"
    if kind == "folder":
        (kept / "below").mkdir(parents=True)
    elif kind == "link":
        kept.symlink_to(HERE)
    else:
        kept.touch()
    forget(str(kept))
    assert not os.path.lexists(kept) and HERE.exists()


def test_outputs_of_the_store_are_not_removed(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        forget(str(tmp_path))
    assert tmp_path.exists()


def test_order_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for store in ("first", "second"):
        for folder in ("same", "otherwise", "alone"):
            (tmp_path / store / folder).mkdir(parents=True)
            (tmp_path / store / folder / "0").touch()
        (tmp_path / store / "same" / "1").touch()
        (tmp_path / store / "otherwise" / "1").touch()
    turned = str(tmp_path / "second/otherwise")

    def listed(folder: str) -> list[str]:
        return sorted(entry.name for entry in os.scandir(folder))[
            :: -1 if str(folder) == turned else 1
        ]

    monkeypatch.setattr("os.listdir", listed)
    pair = (tmp_path / "first", tmp_path / "second")
    # the root, with three folders, and the two folders of two files
    assert second_store.order([pair]) == second_store.Order(3, 1)


def test_too_little_room_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = Setting(tmp_path, tmp_path, 0o077, 1)
    monkeypatch.setattr(Setting, "run", lambda *words: "1000\n" + "9" * 18)
    with pytest.raises(NotReproducible, match="--other-file-system FOLDER"):
        second_store.demand_room(setting, tmp_path, ["/x", "/y"])
    monkeypatch.setattr(Setting, "run", lambda *words: "1000\n0")
    second_store.demand_room(setting, tmp_path, ["/x", "/y"])


def test_a_missing_diffoscope_is_demanded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReproducible, match="apt-get install diffoscope-minimal"):
        difference_report.demand()


def test_a_failing_diffoscope_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "diffoscope"
    shell = shutil.which("sh")
    program.write_text(f"#!{shell}\nprintf 'broken \\342' >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(NotReproducible, match="broken \ufffd"):
        difference_report.report("/x", "/y")


def test_long_reports_go_on_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = "".join(f"{number}\n" for number in range(10))
    assert difference_report.shortened(text, 10) == text
    assert not list(tmp_path.iterdir())
    *first, last = difference_report.shortened(text, 4).splitlines()
    assert first == ["0", "1", "2", "3"]
    (whole,) = tmp_path.iterdir()
    assert last == f"… 6 more lines: {whole}"
    assert whole.read_text() == text
