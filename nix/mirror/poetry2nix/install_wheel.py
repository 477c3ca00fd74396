"""Installs one wheel under a prefix, with pypa's installer."""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Optional

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.exceptions import InstallerError
from installer.sources import WheelFile
from strip_libraries import libraries, strip_libraries
from wheel_exclusions import WheelExclusions

# Replaced by link_environment.py with the environment's own interpreter.
INTERPRETER = "/environment/bin/python"

# ELF: where a program's header says its byte order, word size and segments (elf(5)).
ELF_MAGIC = b"\x7fELF"
PT_INTERP = 3


class WheelError(Exception):
    """The wheel cannot be installed; the message is one line that names it."""


@dataclass(frozen=True)
class Patcher:
    """What programs out of wheels need in order to run where there is no /lib.

    patchelf: the program of that name; loader: the dynamic loader; rpath: folders of
    libraries, separated by ":".
    """

    patchelf: Path
    loader: Path
    rpath: str

    def patch(self, program: Path) -> None:
        """Have the program load this loader and these libraries.

        Folders beside the program that it names itself ($ORIGIN, ld.so(8)) stay first.
        """
        own = self.run("--print-rpath", str(program)).strip().split(":")
        beside = [folder for folder in own if folder.startswith("$ORIGIN")]
        self.run("--set-interpreter", str(self.loader), str(program))
        rpath = ":".join([*beside, self.rpath])
        self.run("--force-rpath", "--set-rpath", rpath, str(program))

    def run(self, *words: str) -> str:
        """Run patchelf; returns what it prints. Raises WheelError."""
        done = subprocess.run(
            [self.patchelf, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode != 0:
            raise WheelError(f"{words[-1]}: {done.stderr.strip()}")
        return done.stdout


def has_interpreter(content: bytes) -> bool:
    """Whether a file's content is an ELF program that asks for a dynamic loader.

    Such a program has a segment PT_INTERP; a static one has none.
    """
    try:
        if content[:4] != ELF_MAGIC:
            return False
        wide = content[4] == 2
        order = "<" if content[5] == 1 else ">"
        at, entry = (32, "Q") if wide else (28, "I")
        (start,) = struct.unpack_from(order + entry, content, at)
        size, count = struct.unpack_from(order + "HH", content, 54 if wide else 42)
        return any(
            struct.unpack_from(order + "I", content, start + size * number)[0]
            == PT_INTERP
            for number in range(count)
        )
    except (IndexError, OverflowError, struct.error):
        return False


def scheme(prefix: Path, distribution: str) -> dict[str, str]:
    """Where the parts of a wheel go (PEP 427, sysconfig's scheme "posix_prefix")."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site_packages = str(prefix / "lib" / version / "site-packages")
    return {
        "purelib": site_packages,
        "platlib": site_packages,
        "scripts": str(prefix / "bin"),
        "data": str(prefix),
        "headers": str(prefix / "include" / version / distribution),
    }


def check_names(names: Iterable[str]) -> None:
    """Raise ValueError where a wheel's file would be written outside of the prefix.

    installer joins names to folders as they are.
    """
    for name in names:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"it holds a path that leads outside: {name}")


def install_wheel(
    wheel: Path,
    prefix: Path,
    patcher: Optional[Patcher] = None,
    exclusions: WheelExclusions = WheelExclusions(),
    strip: Optional[Path] = None,
) -> None:
    """Install the wheel file `wheel` below `prefix`.

    Byte code is left to the caller, so that it can be made reproducibly. What a wheel's
    own RECORD says of its files (PEP 376) is a warning if it is wrong, as it is to
    Poetry: the file as a whole was verified. With a patcher, programs in bin/ are
    patched; with `strip`, the program of that name, libraries are stripped. The RECORD
    that is installed says what is there. Raises WheelError.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            check_names(archive.namelist())
            source = WheelFile(archive)
            try:
                source.validate_record()
            except WheelFile.validation_error as error:
                for issue in error.issues:
                    print(f"warning: {issue}", file=sys.stderr)
            folders = scheme(prefix, source.distribution)
            destination = SchemeDictionaryDestination(
                folders,
                interpreter=INTERPRETER,
                script_kind="posix",
            )
            install(
                source, destination, additional_metadata={"INSTALLER": b"installer\n"}
            )
    except (InstallerError, zipfile.BadZipFile, OSError, ValueError, KeyError) as error:
        raise WheelError(f"{wheel.name}: {' '.join(str(error).split())}") from None
    for script in prefix.glob("bin/*"):
        # The wheel may lack their permission.
        script.chmod(0o755)
    gone = exclusions.remove(prefix, Path(folders["purelib"]))
    changed = patch_programs(prefix / "bin", patcher) if patcher is not None else []
    if strip is not None:
        changed += strip_libraries(libraries(prefix), strip)
    records = list(prefix.glob("lib/python*/site-packages/*.dist-info/RECORD"))
    for record in records if gone or changed else []:
        record_anew(record, changed, gone)


def patch_programs(folder: Path, patcher: Patcher) -> list[Path]:
    """Patch the ELF programs in a folder; returns those that asked for a loader."""
    patched = []
    for program in sorted(folder.iterdir()) if folder.is_dir() else []:
        if program.is_file() and has_interpreter(program.read_bytes()):
            patcher.patch(program)
            patched.append(program)
    return patched


def record_anew(
    record: Path, changed: Iterable[Path], gone: Iterable[Path] = ()
) -> None:
    """Bring a RECORD up to date (PEP 376).

    changed: files that have other hashes and sizes; gone: files that are to be named no
    longer.
    """
    by_path = {file.resolve(): file for file in changed}
    absent = {file.resolve() for file in gone}
    site_packages = record.parent.parent
    with open(record, newline="", encoding="utf-8") as handle:
        old = list(csv.reader(handle))
    rows = []
    for row in old:
        path = (site_packages / row[0]).resolve()
        if path in absent:
            continue
        if path in by_path:
            content = by_path[path].read_bytes()
            value = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
            row[1:] = [f"sha256={value.decode().rstrip('=')}", str(len(content))]
        rows.append(row)
    with open(record, "w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows(rows)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Install under the wheel's own name, which the Nix store's path lacks.

    words: the arguments, by default those of the process. Returns the exit status, 1
    with one line on standard error.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel", type=Path)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--patchelf", type=Path)
    parser.add_argument("--loader", type=Path)
    parser.add_argument("--rpath", default="")
    parser.add_argument("--strip", type=Path)
    parser.add_argument(
        "--exclusions",
        type=WheelExclusions.from_json,
        default=WheelExclusions(),
        metavar="JSON",
    )
    arguments = parser.parse_args(words)
    patcher = None
    if arguments.patchelf is not None:
        if arguments.loader is None:
            parser.error("--patchelf needs --loader")
        patcher = Patcher(arguments.patchelf, arguments.loader, arguments.rpath)
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / arguments.name
        link.symlink_to(arguments.wheel.absolute())
        try:
            install_wheel(
                link,
                arguments.prefix,
                patcher,
                arguments.exclusions,
                arguments.strip,
            )
        except WheelError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
