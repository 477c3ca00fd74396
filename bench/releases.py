"""A new release of a locked wheel, in order to measure what a changed dependency costs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import zipfile
from pathlib import Path

import tomli
from measurement import BenchError


def record(files: dict[str, bytes], folder: str) -> bytes:
    """The RECORD of a wheel's files (PEP 376, PEP 427). folder: its .dist-info."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
        writer.writerow([name, f"sha256={digest.decode().rstrip('=')}", len(content)])
    writer.writerow([f"{folder}/RECORD", "", ""])
    return text.getvalue().encode()


def release(wheel: Path, version: str, folder: Path) -> Path:
    """Write a wheel of another version and of the same content; returns its path.

    folder: where to write it.
    """
    name, earlier, tags = wheel.name.split("-", 2)
    information, renamed = (f"{name}-{one}.dist-info" for one in (earlier, version))
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(wheel) as archive:
        for entry in archive.infolist():
            place = re.sub(
                rf"^{re.escape(information)}/", f"{renamed}/", entry.filename
            )
            if not entry.is_dir() and place != f"{renamed}/RECORD":
                files[place] = archive.read(entry)
    metadata = f"{renamed}/METADATA"
    files[metadata] = re.sub(
        rb"^Version: .*", f"Version: {version}".encode(), files[metadata], 1, re.M
    )
    path = folder / f"{name}-{version}-{tags}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, content in files.items():
            archive.writestr(place, content)
        archive.writestr(f"{renamed}/RECORD", record(files, renamed))
    return path


def relocked(lock: str, project: str, wheel: Path, version: str) -> str:
    """A poetry.lock's text with another release of a package, which is this wheel alone.

    Raises BenchError where the package does not stand there the way Poetry writes it.
    """
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    text, count = re.subn(
        rf'(^name = "{re.escape(project)}"\nversion = )"[^"]*"'
        r"((?:(?!^\[\[).)*?^files = \[\n)(?:(?!^\[\[).)*?^\]",
        rf'\g<1>"{version}"\g<2>'
        f'    {{file = "{wheel.name}", hash = "sha256:{digest}"}},\n]',
        lock,
        flags=re.MULTILINE | re.DOTALL,
    )
    if count != 1 or len(tomli.loads(text)["package"]) != lock.count("[[package]]"):
        raise BenchError(f"poetry.lock has no files of {project}")
    return text
