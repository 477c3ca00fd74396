"""Both documents: valid, equal in content, the same bytes every time."""

from __future__ import annotations

import doctest
import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import documents
import pytest
import write_sbom
from components import Component
from documents import InvalidDocument, Subject, write_documents
from hypothesis import given
from hypothesis import strategies as st
from licences import Licence

from .conftest import WriteArchive

SUBJECT = Subject("thing", "1.0", "0" * 64, datetime(1970, 1, 1, tzinfo=timezone.utc))
COMPONENTS = [
    Component(
        "own",
        "own:app",
        "app",
        "1",
        Licence("MIT"),
        locations=("/app",),
        requires=("pkg:pypi/a_b@1.0",),
    ),
    Component(
        "deb",
        "pkg:deb/debian/zlib1g@1:1.2%2Bb1?arch=amd64&distro=bookworm",
        "zlib1g",
        "1:1.2+b1",
        Licence("LicenseRef-zlib-mine AND MIT", texts=(("LicenseRef-zlib-mine", "x"),)),
        "pkg:deb/debian/zlib1g@1:1.2%2Bb1?arch=amd64&distro=bookworm",
        "a" * 64,
        properties=(("debian:source", "zlib"),),
        locations=("/nix/store/tree",),
    ),
    Component(
        "pypi",
        "pkg:pypi/a_b@1.0",
        "a_b",
        "1.0",
        Licence(told="BSD"),
        "pkg:pypi/a_b@1.0",
        homepage="https://example.org",
        description="short",
    ),
    Component("nix", "nix:x", "x", licence=Licence(remark="hint")),
]


def test_examples() -> None:
    result = doctest.testmod(documents)
    assert result.attempted and not result.failed


def test_both_have_all(tmp_path: Path) -> None:
    write_documents(tmp_path / "out", SUBJECT, COMPONENTS)
    bill = json.loads((tmp_path / "out/cyclonedx.json").read_text())
    document = json.loads((tmp_path / "out/spdx.json").read_text())
    assert (bill["specVersion"], document["spdxVersion"]) == ("1.6", "SPDX-2.3")
    parts = {part["bom-ref"]: part for part in bill["components"]}
    packages = {package["SPDXID"]: package for package in document["packages"]}
    assert set(parts) == {component.key for component in COMPONENTS}
    names = {documents.spdx_identifier(key) for key in parts} | {"SPDXRef-image"}
    assert set(packages) == names
    licences = {
        key: (part["licenses"][0].get("expression"), part["licenses"][0].get("license"))
        for key, part in parts.items()
    }
    debian = COMPONENTS[1].key
    assert licences == {
        "own:app": ("MIT", None),
        debian: ("LicenseRef-zlib-mine AND MIT", None),
        "pkg:pypi/a_b@1.0": (None, {"name": "BSD"}),
        "nix:x": (None, {"name": "NOASSERTION"}),
    }
    package = packages[documents.spdx_identifier(debian)]
    assert package["licenseDeclared"] == "LicenseRef-zlib-mine AND MIT"
    assert package["externalRefs"][0]["referenceLocator"] == COMPONENTS[1].purl
    assert package["checksums"] == [{"algorithm": "SHA256", "checksumValue": "a" * 64}]
    assert [info["licenseId"] for info in document["hasExtractedLicensingInfos"]] == [
        "LicenseRef-zlib-mine"
    ]
    unknown = packages[documents.spdx_identifier("nix:x")]
    assert unknown["licenseDeclared"] == "NOASSERTION"
    assert unknown["licenseComments"] == "hint"
    depends = [
        (relation["spdxElementId"], relation["relatedSpdxElement"])
        for relation in document["relationships"]
        if relation["relationshipType"] == "DEPENDS_ON"
    ]
    wanted = (
        documents.spdx_identifier("own:app"),
        documents.spdx_identifier("pkg:pypi/a_b@1.0"),
    )
    assert depends == [wanted]
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in bill["dependencies"]}
    assert set(edges["image"]) == set(parts)
    assert edges["own:app"] == ["pkg:pypi/a_b@1.0"]


def test_what_is_invalid_is_refused(tmp_path: Path) -> None:
    broken = Component("nix", "nix:y", "y", licence=Licence("LicenseRef-undescribed"))
    with pytest.raises(InvalidDocument, match="SPDX"):
        write_documents(tmp_path / "out", SUBJECT, [broken])
    assert not (tmp_path / "out").exists()


@given(st.text(min_size=1), st.text(min_size=1))
def test_keys_have_identifiers_of_their_own(first: str, second: str) -> None:
    one, two = map(documents.spdx_identifier, (first, second))
    assert (one == two) == (first == second)
    assert all(c.isascii() and (c.isalnum() or c in ".-") for c in one)


def test_the_identity_is_that_of_the_content() -> None:
    assert SUBJECT.identity(COMPONENTS) == SUBJECT.identity(list(COMPONENTS))
    assert SUBJECT.identity(COMPONENTS) != SUBJECT.identity(COMPONENTS[1:])


def test_the_same_bytes_whatever_surrounds_them(
    write_archive: WriteArchive, tmp_path: Path
) -> None:
    archive = write_archive(
        {
            f"{site}/{name}-1.dist-info/METADATA": f"Name: {name}\nVersion: 1\n".encode()
            for name in ("a", "b", "c", "d")
            for site in (f"{number}/lib/python3.9/site-packages" for number in range(8))
        }
    )
    materials = tmp_path / "materials.json"
    materials.write_text(json.dumps({"materials": [], "own": [], "required": []}))
    written = set()
    for seed, zone in (("0", "UTC"), ("1", "Asia/Tokyo"), ("2", "EST5EDT")):
        target = tmp_path / seed
        words = ["--name", "n", "--tag", "t", "--materials", materials, archive, target]
        subprocess.run(
            [sys.executable, "-B", write_sbom.__file__, *map(str, words)],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone},
            check=True,
        )
        names = ("cyclonedx.json", "spdx.json")
        written.add(tuple((target / name).read_bytes() for name in names))
    assert len(written) == 1
