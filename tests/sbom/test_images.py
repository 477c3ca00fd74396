"""The bills of materials of the real images hold what is in the images, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import write_sbom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from image_archive import ImageArchive
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

IMAGES = {
    "app-example": "APP_EXAMPLE",
    "modern": "APP_EXAMPLE_MODERN",
    "platform": "PLATFORM",
    "platform-full": "PLATFORM_FULL",
    "platform-python311": "PLATFORM_PYTHON311",
    "platform-python313-full": "PLATFORM_PYTHON313_FULL",
}
ARCHITECTURE = "/x86_64-linux-gnu/"

# What nix/mirror/gcc.nix and toolchain.nix write themselves.
GENERATED = {"specs", "pg_config.txt"}


@dataclass
class Described:
    """An image and what is said of it."""

    archive: Path
    sbom: Path
    materials: Path
    files: set[str]
    links: set[str]
    configuration: str

    @property
    def bill(self) -> Any:
        """The document in CycloneDX."""
        return json.loads((self.sbom / "cyclonedx.json").read_text())

    def components(self, kind: str) -> dict[str, Any]:
        """Its components whose key begins so."""
        return {
            part["bom-ref"]: part
            for part in self.bill["components"]
            if part["bom-ref"].startswith(kind)
        }

    def locations(self, kind: str) -> set[str]:
        """Where these are in the image."""
        return {
            occurrence["location"]
            for part in self.components(kind).values()
            for occurrence in part["evidence"]["occurrences"]
        }

    @property
    def debian(self) -> dict[str, list[Mapping[str, str]]]:
        """The store paths in the image that Debian packages make up, and these."""
        materials = json.loads(self.materials.read_text())["materials"]
        present = {"/".join(path.split("/")[:4]) for path in self.files}
        return {
            material["path"]: material["distribution"]
            for material in materials
            if material["distribution"] and material["path"] in present
        }


@pytest.fixture(scope="module", params=list(IMAGES))
def described(request: pytest.FixtureRequest) -> Described:
    prefix = IMAGES[request.param]
    paths = [
        os.environ.get(f"{prefix}_{what}") for what in ("IMAGE", "SBOM", "MATERIALS")
    ]
    if not all(paths):
        pytest.skip(
            "no images are named: ./mirror nix build .#checks.x86_64-linux.sbom"
        )
    archive, sbom, materials = map(Path, filter(None, paths))
    image = ImageArchive(archive)
    members = [member for member in image.members() if not member.info.isdir()]
    files = {member.path for member in members if member.info.isfile()}
    links = {member.path for member in members if not member.info.isfile()}
    return Described(archive, sbom, materials, files, links, image.digest)


def test_every_distribution(described: Described) -> None:
    installed = {
        path.removesuffix("/METADATA")
        for path in described.files
        if path.endswith(".dist-info/METADATA")
    }
    wheels = {path for path in described.files if path.endswith(".whl")}
    assert described.locations("pkg:pypi/") == installed | wheels
    assert len(installed) > 10


def test_locked_distributions_have_the_lock_s_digest(described: Described) -> None:
    for part in described.components("pkg:pypi/").values():
        places = [entry["location"] for entry in part["evidence"]["occurrences"]]
        installed = any(
            "/" not in place.partition("/site-packages/")[2] for place in places
        )
        if installed:
            assert part["hashes"][0]["alg"] == "SHA-256", part["bom-ref"]


def test_every_debian_package(described: Described) -> None:
    expected = set()
    there = described.files | described.links
    for root, packages in described.debian.items():
        for package in packages:
            files = Path(package["record"], "files")
            if not files.exists() or any(
                f"{root}/{file}" in there
                for line in files.read_text().splitlines()
                for file in (line, line.replace(ARCHITECTURE, "/"))
            ):
                expected.add((package["name"], package["version"], package["sha256"]))
    found = {
        (part["name"], part["version"], part["hashes"][0]["content"])
        for part in described.components("pkg:deb/").values()
    }
    assert found == expected
    assert {"libc6", "tzdata", "busybox-static"} <= {name for name, _, _ in found}


def test_every_file_of_debian_s_comes_from_a_component(described: Described) -> None:
    named = {part["name"] for part in described.components("pkg:deb/").values()}
    for root, packages in described.debian.items():
        known: set[str] = set()
        generated = False
        for package in packages:
            files = Path(package["record"], "files")
            generated |= not files.exists()
            if files.exists() and package["name"] in named:
                lines = files.read_text().splitlines()
                known.update(lines)
                known.update(line.replace(ARCHITECTURE, "/") for line in lines)
        if generated:
            continue
        strange = {
            path
            for path in described.files
            if path.startswith(f"{root}/")
            and path.removeprefix(f"{root}/") not in known
            and not path.endswith(".pyc")
            and path.rpartition("/")[2] not in GENERATED
        }
        assert not strange


def test_every_store_path_is_accounted_for(described: Described) -> None:
    present = {
        "/".join(path.split("/")[:4])
        for path in described.files
        if path.startswith("/nix/store/")
    }
    said = {
        "/".join(path.split("/")[:4])
        for kind in ("pkg:", "nix:")
        for path in described.locations(kind)
        if path.startswith("/nix/store/")
    }
    assert present <= said
    names = {path.partition("-")[2] for path in described.locations("nix:")}
    assert "application-server" in names


def test_own_files_are_there(described: Described) -> None:
    locations = described.locations("own:")
    assert locations
    for location in locations:
        assert any(
            path == location or path.startswith(f"{location}/")
            for path in described.files
        ), location


def test_the_image_is_named_by_its_configuration(described: Described) -> None:
    image = described.bill["metadata"]["component"]
    values = {
        entry["name"].rpartition(":")[2]: entry["value"]
        for entry in image["properties"]
    }
    assert values["configuration-sha256"] == described.configuration


def test_both_are_valid(described: Described) -> None:
    text = (described.sbom / "cyclonedx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = parse_file(str(described.sbom / "spdx.json"))
    assert not validate_full_spdx_document(document)
    packages = {package.name for package in document.packages}
    assert packages >= {part["name"] for part in described.bill["components"]}


def test_the_same_bytes_again(described: Described, tmp_path: Path) -> None:
    image = described.bill["metadata"]["component"]
    target = tmp_path / "sbom"
    words = ["--name", image["name"], "--tag", image["version"]]
    words += ["--materials", str(described.materials)]
    subprocess.run(
        [sys.executable, "-B", write_sbom.__file__, *words]
        + [str(described.archive), str(target)],
        env={**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"},
        check=True,
    )
    for name in ("cyclonedx.json", "spdx.json"):
        assert (target / name).read_bytes() == (described.sbom / name).read_bytes()
