"""The components of images made by hand."""

from __future__ import annotations

import doctest
import io
import json
import zipfile
from pathlib import Path
from typing import Any, Optional

import components
import pytest
from components import Component, components_of
from image_contents import read_image

from .conftest import WriteArchive

WHEEL = "nix/store/" + "1" * 32 + "-python3.9-one-1.0"
TREE = "nix/store/" + "2" * 32 + "-tree"
OTHER = "nix/store/" + "3" * 32 + "-other-2.0"
SITE = f"{WHEEL}/lib/python3.9/site-packages"


def metadata(name: str, version: str = "1.0", *lines: str) -> bytes:
    return "\n".join([f"Name: {name}", f"Version: {version}", *lines, "", ""]).encode()


def material(path: str, **more: Any) -> dict[str, Any]:
    return {"path": f"/{path}", "name": "", "version": "", "sha256": "", **more}


def package(
    folder: Path, name: str, depends: str = "", files: Optional[str] = None
) -> dict[str, str]:
    """A Debian package as the mirror set describes it."""
    record = folder / name
    record.mkdir()
    fields = [f"Package: {name}", "Description: short", " long", f"Depends: {depends}"]
    (record / "control").write_text("\n".join(fields) + "\n")
    if files is not None:
        (record / "files").write_text(files)
    return {
        "name": name,
        "version": "1:1.0+b1",
        "source": name,
        "architecture": "amd64",
        "suite": "bookworm",
        "sha256": "d" * 64,
        "record": str(record),
    }


def found(
    archive: Path, materials: list[Any], own: Optional[list[Any]] = None
) -> dict[str, Component]:
    parts = components_of(read_image(archive), materials, own or [])
    assert [part.key for part in parts] == sorted(part.key for part in parts)
    return {part.key: part for part in parts}


def test_examples() -> None:
    result = doctest.testmod(components)
    assert result.attempted and not result.failed


def test_distributions_installed_vendored_and_packed(
    write_archive: WriteArchive,
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as wheel:
        wheel.writestr("packed-4.0.dist-info/METADATA", metadata("packed", "4.0"))
        wheel.writestr("packed/inner.dist-info/METADATA", metadata("inner"))
    copied = "application_root/.venv/lib/python3.9/site-packages"
    archive = write_archive(
        {f"{SITE}/One-1.0.dist-info/METADATA": metadata("One")},
        {
            f"./{copied}/one-1.0.dist-info/METADATA": metadata("One"),
            f"./{copied}/one/_vendor/two-3.0.dist-info/METADATA": metadata(
                "two", "3.0"
            ),
            f"./{copied}/packed-4.0-py3-none-any.whl": packed.getvalue(),
        },
    )
    materials = [
        material(WHEEL, name="one", version="1.0", sha256="a" * 64),
        material(OTHER, name="two", version="3.0", sha256="b" * 64),
    ]
    parts = found(archive, materials)
    assert set(parts) == {"pkg:pypi/one@1.0", "pkg:pypi/two@3.0", "pkg:pypi/packed@4.0"}
    one = parts["pkg:pypi/one@1.0"]
    assert (one.kind, one.sha256) == ("pypi", "a" * 64)
    assert one.locations == (
        f"/{copied}/one-1.0.dist-info",
        f"/{SITE}/One-1.0.dist-info",
    )
    # What is vendored is not the file that the lock pins.
    assert parts["pkg:pypi/two@3.0"].sha256 == ""
    assert len(parts["pkg:pypi/packed@4.0"].sha256) == 64


def test_requirements_that_are_in_the_image(write_archive: WriteArchive) -> None:
    lines = [
        "Requires-Dist: Two>=2",
        "Requires-Dist: gone",
        "Requires-Dist: three; python_version < '3.8'",
        "Requires-Dist: four; extra == 'more'",
        "Requires-Dist: five; sys_platform == 'win32' and extra == 'more'",
        "Requires-Dist: not a requirement!",
    ]
    names = ["two", "three", "four", "five"]
    files = {
        f"{SITE}/{name}-3.dist-info/METADATA": metadata(name, "3") for name in names
    }
    files[f"{SITE}/two-1.dist-info/METADATA"] = metadata("two", "1")
    files[f"{SITE}/one-1.0.dist-info/METADATA"] = metadata("one", "1.0", *lines)
    archive = write_archive(files)
    one = found(archive, [])["pkg:pypi/one@1.0"]
    assert one.requires == ("pkg:pypi/four@3", "pkg:pypi/two@3")
    older = found(write_archive(files, python="3.7.1"), [])["pkg:pypi/one@1.0"]
    assert "pkg:pypi/three@3" in older.requires


def test_debian_packages_of_which_files_are_there(
    write_archive: WriteArchive, tmp_path: Path
) -> None:
    packages = [
        package(
            tmp_path, "liba", "libb (>= 1) | libgone, libc", "lib/a.so\nshare/doc/a"
        ),
        package(tmp_path, "libb", "liba", "lib/b.so\n"),
        package(tmp_path, "left-out", "", "share/man/x\n"),
        package(tmp_path, "libc", "", None),
    ]
    archive = write_archive({f"{TREE}/lib/a.so": b"", f"{TREE}/lib/b.so": b""})
    parts = found(archive, [material(TREE, distribution=packages)])
    keys = {
        name: f"pkg:deb/debian/{name}@1:1.0%2Bb1?arch=amd64&distro=bookworm"
        for name in ("liba", "libb", "libc")
    }
    assert set(parts) == set(keys.values())
    liba = parts[keys["liba"]]
    assert liba.requires == (keys["libb"], keys["libc"])
    assert parts[keys["libb"]].requires == (keys["liba"],)
    assert (liba.sha256, liba.description) == ("d" * 64, "short")
    assert liba.locations == (f"/{TREE}",)


def test_every_other_store_path_is_a_component(write_archive: WriteArchive) -> None:
    archive = write_archive({f"{OTHER}/x": b"", f"{TREE}/y": b"", TREE: None})
    described = material(OTHER, name="other", version="2.0", licences=["MIT"])
    parts = found(archive, [described, material(WHEEL, name="absent", version="1")])
    assert set(parts) == {f"nix:{'2' * 32}-tree", f"nix:{'3' * 32}-other-2.0"}
    other = parts[f"nix:{'3' * 32}-other-2.0"]
    assert (other.purl, other.licence.expression) == ("pkg:nix/other@2.0", "MIT")
    unknown = parts[f"nix:{'2' * 32}-tree"]
    assert (unknown.name, unknown.purl) == ("tree", "")
    assert unknown.licence.expression is None


def test_own_files(write_archive: WriteArchive) -> None:
    archive = write_archive({f"{SITE}/one-1.0.dist-info/METADATA": metadata("One")})
    own = {"name": "app", "version": "5", "licence": "MIT", "locations": ["/app"]}
    parts = found(archive, [], [{**own, "requires": ["one"]}])
    assert parts["own:app"].requires == ("pkg:pypi/one@1.0",)
    assert parts["own:app"].locations == ("/app",)


@pytest.mark.parametrize(
    "field, links, expected",
    [
        ("https://a", [], "https://a"),
        ("UNKNOWN", ["Homepage, https://b"], "https://b"),
        (None, ["homepage,https://b", "Source, https://c"], "https://b"),
        (None, ["Source, https://c"], ""),
        ("nonsense", [], ""),
    ],
)
def test_homepages(field: Optional[str], links: list[str], expected: str) -> None:
    assert components.homepage(field, links) == expected


def test_the_digest_is_the_configuration_s(write_archive: WriteArchive) -> None:
    contents = read_image(write_archive({"a": b""}))
    assert json.dumps(contents.configuration["rootfs"]) != "{}"
    assert len(contents.digest) == 64 and contents.paths == {"a"}
