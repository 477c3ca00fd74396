"""What an image holds, as far as a bill of materials asks: paths and distributions."""

from __future__ import annotations

import email
import email.policy
import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

from image_archive import ImageArchive, Member

STORE = "nix/store/"


@dataclass
class ImageContents:
    """The files of an image, from all its layers, whatever an upper one covers.

    digest: the SHA-256 of the configuration; paths: of files and links, without the
    slash at the beginning; distributions: METADATA by the folder *.dist-info, a path;
    wheels: METADATA and the file's SHA-256 by the path of the wheel.
    """

    digest: str
    configuration: dict[str, Any]
    paths: set[str] = field(default_factory=set)
    distributions: dict[str, Message] = field(default_factory=dict)
    wheels: dict[str, tuple[Message, str]] = field(default_factory=dict)

    @property
    def store_paths(self) -> set[str]:
        """The names in the Nix store of which files are in the image."""
        return {
            path[len(STORE) :].partition("/")[0]
            for path in self.paths
            if path.startswith(STORE)
        }


def read_image(archive: Path) -> ImageContents:
    """Read an image archive."""
    image = ImageArchive(archive)
    contents = ImageContents(image.digest, image.configuration)
    for member in image.members():
        if not member.info.isdir():
            add_member(member, contents)
    return contents


def add_member(member: Member, contents: ImageContents) -> None:
    """Add a file or a link."""
    path = member.path[1:]
    contents.paths.add(path)
    folder, _, file = path.rpartition("/")
    if not member.info.isfile():
        return
    if file == "METADATA" and folder.endswith(".dist-info"):
        contents.distributions[folder] = parse(member.read())
    elif file.endswith(".whl"):
        content = member.read()
        metadata = wheel_metadata(content)
        contents.wheels[path] = metadata, hashlib.sha256(content).hexdigest()


def parse(content: bytes) -> Message:
    """The fields of a METADATA (PEP 566)."""
    return email.message_from_bytes(content, policy=email.policy.compat32)


def wheel_metadata(content: bytes) -> Message:
    """The METADATA of a wheel (PEP 427)."""
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        (name,) = [
            name
            for name in wheel.namelist()
            if name.count("/") == 1 and name.endswith(".dist-info/METADATA")
        ]
        return parse(wheel.read(name))
