"""Wheels made by hand, installed."""

from __future__ import annotations

import csv
import json
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Optional

import install_wheel
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from install_wheel import Patcher, WheelError, has_interpreter
from mirror_site import make_wheel, sha256
from programs_of_windows import executable

Program = Callable[[str, str], Path]

VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}"
SITE_PACKAGES = f"lib/{VERSION}/site-packages"


def elf(*kinds: int, wide: bool = True, little: bool = True) -> bytes:
    """The head of an ELF file with segments of these kinds (elf(5))."""
    order = "<" if little else ">"
    identity = b"\x7fELF" + bytes([2 if wide else 1, 1 if little else 2, 1]) + bytes(9)
    size, entry = (64, 56) if wide else (52, 32)
    form = order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH")
    head = struct.pack(form, 2, 62, 1, 0, size, 0, 0, size, entry, len(kinds), 0, 0, 0)
    segments = [struct.pack(order + "I", kind).ljust(entry, b"\0") for kind in kinds]
    return identity + head + b"".join(segments)


def test_all_parts_of_a_wheel(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path / "wheels",
        {
            "thing/__init__.py": b"def main(): print('main')\n",
            "thing/tool.sh": b"#!/bin/sh\n",
            "thing-1.0.data/scripts/script": b"#!python\nprint('script')\n",
            "thing-1.0.data/scripts/other": b"#!/bin/sh\n#!python\n",
            "thing-1.0.data/data/share/thing/data": b"data",
            "thing-1.0.data/headers/thing.h": b"header",
            "thing-1.0.data/platlib/thing_native.py": b"",
        },
        entry_points="[console_scripts]\nthing = thing:main\n",
        executable=("thing/tool.sh",),
    )
    out = tmp_path / "out"
    assert install_wheel.main([str(wheel), str(out), "--name", wheel.name]) == 0
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    info = f"{SITE_PACKAGES}/thing-1.0.dist-info"
    assert files == {
        *("bin/thing", "bin/script", "bin/other", "share/thing/data"),
        *(f"{SITE_PACKAGES}/thing/{name}" for name in ("__init__.py", "tool.sh")),
        f"{SITE_PACKAGES}/thing_native.py",
        f"include/{VERSION}/thing/thing.h",
        *(f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "INSTALLER")),
        f"{info}/entry_points.txt",
    }
    first, second = (out / "bin/script").read_bytes().split(b"\n")[:2]
    assert (first, second) == (b"#!/environment/bin/python", b"print('script')")
    assert (out / "bin/other").read_bytes() == b"#!/bin/sh\n#!python\n"
    assert (out / "bin/thing").read_bytes().startswith(b"#!/environment/bin/python\n")
    for name in ("bin/thing", "bin/script", f"{SITE_PACKAGES}/thing/tool.sh"):
        assert (out / name).stat().st_mode & 0o111
    (found,) = distributions(path=[str(out / SITE_PACKAGES)])
    assert found.metadata["Name"] == "thing"


def test_two_installations_are_the_same(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path, {"a.py": b""}, entry_points="[console_scripts]\na = a:a\nb = a:b\n"
    )
    for name in ("one", "two"):
        install_wheel.install_wheel(wheel, tmp_path / name)
    one, two = (
        {
            path.relative_to(tmp_path / name): path.is_file() and path.read_bytes()
            for path in (tmp_path / name).rglob("*")
        }
        for name in ("one", "two")
    )
    assert one == two


def test_a_record_that_is_wrong_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = make_wheel(tmp_path, {"a.py": b"x = 1"}, record=False)
    install_wheel.install_wheel(wheel, tmp_path / "out")
    assert (tmp_path / "out" / SITE_PACKAGES / "a.py").read_bytes() == b"x = 1"
    assert "a.py is not mentioned in RECORD" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["thing-1.0-py3-none-any.whl", "other-1.0.whl"])
@pytest.mark.parametrize("content", [b"", b"<html>", None])
def test_what_is_no_wheel_is_an_error_in_one_line(
    name: str,
    content: Optional[bytes],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wheel = tmp_path / "file"
    if content is None:
        wheel = make_wheel(tmp_path, {}, name="another")
    else:
        wheel.write_bytes(content)
    assert install_wheel.main([str(wheel), str(tmp_path / "out"), "--name", name]) == 1
    *warnings, error = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {name}: ")
    assert all(warning.startswith("warning: ") for warning in warnings)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
@pytest.mark.parametrize(
    "kinds, expected", [([], False), ([1, 6], False), ([6, 3, 1], True)]
)
def test_programs_that_ask_for_a_loader(
    kinds: list[int], expected: bool, wide: bool, little: bool
) -> None:
    assert has_interpreter(elf(*kinds, wide=wide, little=little)) is expected


def test_this_python_asks_for_a_loader() -> None:
    assert has_interpreter(Path(sys.executable).read_bytes())


@given(st.binary(), st.integers(0, 200))
@example(bytes(14) + b"\x80" + bytes(17) + b"\x01", 25)
def test_any_content_is_a_program_or_not(tail: bytes, length: int) -> None:
    has_interpreter(tail)
    has_interpreter(elf(1, 3)[:length] + tail)


FAKE_PATCHELF = """
if arguments[0] == '--print-rpath': print('$ORIGIN/../lib:/usr/lib')
else: open(arguments[-1], 'ab').write(b'patched')
"""


def test_programs_are_patched(tmp_path: Path, program: Program) -> None:
    patchelf = program("patchelf", FAKE_PATCHELF)
    wheel = make_wheel(
        tmp_path / "wheels",
        {
            "thing/bin/inside": elf(3),
            "thing-1.0.data/scripts/dynamic": elf(3),
            "thing-1.0.data/scripts/static": elf(1),
            "thing-1.0.data/scripts/script": b"#!python\n",
        },
    )
    out = tmp_path / "out"
    words = [str(wheel), str(out), "--name", wheel.name, "--patchelf", str(patchelf)]
    assert install_wheel.main([*words, "--loader", "/l/ld.so", "--rpath", "/a:/b"]) == 0
    log = patchelf.with_name("patchelf.log").read_text().splitlines()
    dynamic = str(out / "bin/dynamic")
    assert [json.loads(line) for line in log] == [
        ["--print-rpath", dynamic],
        ["--set-interpreter", "/l/ld.so", dynamic],
        ["--force-rpath", "--set-rpath", "$ORIGIN/../lib:/a:/b", dynamic],
    ]
    assert (out / "bin/static").read_bytes() == elf(1)
    record = out / SITE_PACKAGES / "thing-1.0.dist-info/RECORD"
    rows = {row[0]: row[1:] for row in csv.reader(record.read_text().splitlines())}
    content = Path(dynamic).read_bytes()
    value, length = rows["../../../bin/dynamic"]
    assert int(length) == len(content) == len(elf(3)) + 2 * len("patched")
    assert value == install_hash(content)


def install_hash(content: bytes) -> str:
    import base64

    value = base64.urlsafe_b64encode(bytes.fromhex(sha256(content)))
    return f"sha256={value.decode().rstrip('=')}"


def test_a_patchelf_that_fails(tmp_path: Path, program: Program) -> None:
    patchelf = program("patchelf", "sys.exit(os.write(2, b'cannot parse \\xe2\\x82'))")
    patcher = Patcher(patchelf, Path("/l/ld.so"), "/a")
    wheel = make_wheel(tmp_path, {"thing-1.0.data/scripts/dynamic": elf(3)})
    with pytest.raises(WheelError, match="bin/dynamic: cannot parse \ufffd$"):
        install_wheel.install_wheel(wheel, tmp_path / "out", patcher)


def test_a_patchelf_needs_a_loader(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        install_wheel.main(["a", "b", "--name", "c", "--patchelf", "d"])


def test_the_launchers_run(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path,
        {"thing.py": b"def main():\n    print('main')\n    return 3\n"},
        entry_points="[console_scripts]\nthing = thing:main\n",
    )
    out = tmp_path / "out"
    install_wheel.install_wheel(wheel, out)
    done = subprocess.run(
        [sys.executable, str(out / "bin/thing")],
        env={"PYTHONPATH": str(out / SITE_PACKAGES)},
        stdout=subprocess.PIPE,
    )
    assert (done.returncode, done.stdout) == (3, b"main\n")


def renamed(wheel: Path, name: str) -> Path:
    target = wheel.with_name(name)
    wheel.rename(target)
    return target


@pytest.mark.parametrize(
    "name",
    [
        "Thing-1.0-py3-none-any.whl",
        "thing-1.0.0-py3-none-any.whl",
        "thing-1.0-1-cp36.cp37-abi3.none-manylinux1_x86_64.linux_x86_64.whl",
    ],
)
def test_names_that_differ_from_the_metadata_folder(name: str, tmp_path: Path) -> None:
    wheel = renamed(make_wheel(tmp_path / "wheels", {"thing.py": b""}), name)
    install_wheel.install_wheel(wheel, tmp_path / "out")
    (found,) = distributions(path=[str(tmp_path / "out" / SITE_PACKAGES)])
    assert (found.metadata["Name"], found.version) == ("thing", "1.0")


def test_a_record_that_tells_another_hash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = make_wheel(tmp_path / "wheels", {"a.py": b"x = 1"})
    odd = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(odd, "w") as new:
        for member in old.infolist():
            content = old.read(member)
            new.writestr(member, b"x = 2" if member.filename == "a.py" else content)
    install_wheel.install_wheel(odd, tmp_path / "out")
    assert (tmp_path / "out" / SITE_PACKAGES / "a.py").read_bytes() == b"x = 2"
    warning, *more = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: ") and "a.py didn't match RECORD" in warning
    assert more == []


def test_data_of_all_kinds_and_both_libraries(tmp_path: Path) -> None:
    wheel = make_wheel(
        tmp_path / "wheels",
        {
            "thing-1.0.data/purelib/pure/__init__.py": b"",
            "thing-1.0.data/platlib/plat/__init__.py": b"",
            "thing-1.0.data/data/etc/thing/settings": b"s",
            "thing-1.0.data/data/bin/tool/part": b"p",
            "thing-1.0.data/headers/deep/thing.h": b"h",
            "thing-1.0.data/scripts/window": b"#!pythonw\n",
        },
        entry_points="[gui_scripts]\nother = pure:main [extra]\n",
    )
    out = tmp_path / "out"
    install_wheel.install_wheel(wheel, out)
    for name in ("pure", "plat"):
        assert (out / SITE_PACKAGES / name / "__init__.py").exists()
    assert (out / "etc/thing/settings").read_bytes() == b"s"
    assert (out / "bin/tool/part").read_bytes() == b"p"
    assert (out / f"include/{VERSION}/thing/deep/thing.h").read_bytes() == b"h"
    for name in ("window", "other"):
        first = (out / "bin" / name).read_bytes().splitlines()[0]
        assert first.startswith(b"#!/environment/bin/python")


@pytest.mark.parametrize("path", ["../../../../x", "HERE/x", "thing-1.0.data/odd/x"])
def test_files_that_lead_elsewhere(
    path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = path.replace("HERE", str(tmp_path))
    wheel = make_wheel(tmp_path / "wheels", {path: b""})
    out = tmp_path / "a/b/c/d/out"
    assert install_wheel.main([str(wheel), str(out), "--name", wheel.name]) == 1
    *_, error = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: {wheel.name}: ")
    assert not [file for file in tmp_path.rglob("x") if file.name == "x"]


EXCLUSIONS = {"windows_programs": ["*.exe"], "suites": ["tests"], "judged_suites": []}
LEFT_OUT = {
    "thing/gui.exe": executable(),
    "thing/tests/__init__.py": b"",
    "thing/tests/data/a.json": b"{}",
    "thing-1.0.data/purelib/thing/tests/test_a.py": b"",
    "thing-1.0.data/scripts/thing.exe": executable(),
}


def test_what_is_left_out_is_not_in_the_record(tmp_path: Path) -> None:
    kept = {"thing/__init__.py": b"X = 1\n", "thing/a.py": b""}
    wheel = make_wheel(tmp_path / "wheels", {**kept, **LEFT_OUT})
    out = tmp_path / "out"
    words = [str(wheel), str(out), "--name", wheel.name]
    assert install_wheel.main([*words, "--exclusions", json.dumps(EXCLUSIONS)]) == 0
    site_packages = out / SITE_PACKAGES
    info = "thing-1.0.dist-info"
    installed = {
        str(path.relative_to(site_packages))
        for path in site_packages.rglob("*")
        if path.is_file()
    }
    metadata = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD")}
    assert installed == {*kept, *metadata, f"{info}/INSTALLER"}
    assert not [path for path in (out / "bin").glob("*")]
    with open(site_packages / info / "RECORD", newline="") as handle:
        rows = {row[0]: row[1:] for row in csv.reader(handle)}
    assert set(rows) == installed
    assert rows["thing/__init__.py"] == [install_hash(b"X = 1\n"), "6"]


def test_the_record_stays_where_nothing_is_left_out(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "wheels", {"thing/__init__.py": b""})
    records = []
    for name, words in (("a", []), ("b", ["--exclusions", json.dumps(EXCLUSIONS)])):
        out = tmp_path / name
        assert (
            install_wheel.main([str(wheel), str(out), "--name", wheel.name, *words])
            == 0
        )
        records.append(
            (out / SITE_PACKAGES / "thing-1.0.dist-info/RECORD").read_bytes()
        )
    assert records[0] == records[1]


@pytest.mark.parametrize("table", ["", "[]", '{"other": []}'])
def test_a_table_of_exclusions_that_is_none(table: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        install_wheel.main(["a", "b", "--name", "c", "--exclusions", table])
