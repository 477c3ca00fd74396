"""Libraries are stripped where they load afterwards, and stay as they were elsewhere."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from strip_libraries import libraries, loadable, strip_libraries

NOTHING = "exit 0"
FAILS = "exit 1"
TRUNCATES = 'head -c 5000 "$4" > "$3"'


def extension(name: str) -> Path:
    """The file of an extension module of this Python."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A library that loads."""
    path = tmp_path / "package" / "module.cpython-39-x86_64-linux-gnu.so"
    path.parent.mkdir()
    shutil.copy(extension("_decimal"), path)
    path.chmod(0o754)
    return path


def strip(folder: Path, script: str) -> Path:
    """A program that is called as strip is: --strip-unneeded -o TARGET SOURCE."""
    program = folder / "strip"
    program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    program.chmod(0o755)
    return program


def test_libraries_are_told_by_name_and_content(library: Path) -> None:
    folder = library.parent
    (folder / "libversioned.so.1.2").write_bytes(library.read_bytes())
    (folder / "script.so").write_text("INPUT(-lc)")
    (folder / "module.py").write_bytes(library.read_bytes())
    (folder / "link.so").symlink_to(library)
    (folder / "folder.so").mkdir()
    assert libraries(folder.parent) == [folder / "libversioned.so.1.2", library]


def test_what_loads(library: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.so"
    broken.write_bytes(library.read_bytes()[:5000])
    assert loadable([broken, library, tmp_path / "absent.so"]) == {library}
    assert loadable([]) == set()


def test_one_that_ends_the_process_costs_no_other(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import strip_libraries

    deadly = strip_libraries.LOAD.replace(
        "    try:\n", "    if 'deadly' in line: os.abort()\n    try:\n"
    )
    monkeypatch.setattr(strip_libraries, "LOAD", deadly)
    ends = tmp_path / "deadly.so"
    other = tmp_path / "other.so"
    for path in (ends, other):
        shutil.copy(library, path)
    assert loadable([library, ends, other]) == {library, other}


def test_what_a_library_prints_is_no_answer(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import strip_libraries

    talking = strip_libraries.LOAD.replace(
        "    try:\n",
        "    os.write(1, b'banner \\xe2\\nloaded /nowhere\\n')\n    try:\n",
    )
    monkeypatch.setattr(strip_libraries, "LOAD", talking)
    other = tmp_path / "other.so"
    shutil.copy(library, other)
    assert loadable([library, other]) == {library, other}


def test_a_smaller_library_that_loads_takes_its_place(
    library: Path, tmp_path: Path
) -> None:
    smaller = extension("_bz2")
    assert smaller.stat().st_size < library.stat().st_size
    program = strip(
        tmp_path, f'[ "$1 $2" = "--strip-unneeded -o" ] && cp {smaller} "$3"'
    )
    assert strip_libraries([library], program) == [library]
    assert library.read_bytes() == smaller.read_bytes()
    assert library.stat().st_mode & 0o777 == 0o754
    assert list(library.parent.iterdir()) == [library]


@pytest.mark.parametrize(
    "script", [NOTHING, FAILS, TRUNCATES, 'cp "$4" "$3"', "kill $$"]
)
def test_otherwise_it_stays_as_it_was(
    script: str, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = library.read_bytes()
    assert strip_libraries([library], strip(tmp_path, script)) == []
    assert library.read_bytes() == before
    assert list(library.parent.iterdir()) == [library]
    told = capsys.readouterr().err
    if script == TRUNCATES:
        assert told == (
            f"warning: {library.name} stays as it is: stripped, it does not load\n"
        )
    else:
        assert not told


def test_what_never_loaded_is_not_touched(library: Path, tmp_path: Path) -> None:
    library.write_bytes(library.read_bytes()[:5000])
    before = library.read_bytes()
    assert strip_libraries([library], strip(tmp_path, 'head -c 9 "$4" > "$3"')) == []
    assert library.read_bytes() == before
