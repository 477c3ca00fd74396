"""The components of an image: Debian packages, Python distributions, store paths."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from email.message import Message
from pathlib import Path
from typing import Any, Optional

import licences
from debian.deb822 import Packages
from image_contents import STORE, ImageContents
from licences import Licence
from packageurl import PackageURL
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version


@dataclass(frozen=True)
class Component:
    """A part of an image.

    kind: "deb", "pypi", "nix" (a store path) or "own" (files of the image itself); key:
    its name in the bill of materials; sha256: of the file it was made from, as a lock
    pins it; locations: absolute paths; requires: keys of other components.
    """

    kind: str
    key: str
    name: str
    version: str = ""
    licence: Licence = Licence()
    purl: str = ""
    sha256: str = ""
    description: str = ""
    homepage: str = ""
    properties: tuple[tuple[str, str], ...] = ()
    locations: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


@dataclass
class Found:
    """The components found so far, and what each asks for by its own names."""

    components: dict[str, Component] = field(default_factory=dict)
    requirements: dict[str, list[str]] = field(default_factory=dict)

    def add(self, component: Component, requirements: Iterable[str] = ()) -> None:
        """Add a component; one that is there already gets a further location."""
        known = self.components.get(component.key)
        if known is not None:
            places = sorted({*known.locations, *component.locations})
            sha256 = known.sha256 or component.sha256
            component = replace(known, locations=tuple(places), sha256=sha256)
        self.components[component.key] = component
        self.requirements.setdefault(component.key, []).extend(requirements)


def hexadecimal(digest: str) -> str:
    """A SHA-256 in hexadecimal, of Nix' "sha256:…" or of "sha256-…" (W3C, SRI).

    >>> hexadecimal("sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")[:8]
    'e3b0c442'
    """
    if digest.startswith("sha256-"):
        return base64.b64decode(digest[len("sha256-") :]).hex()
    return digest.removeprefix("sha256:")


def store_name(path: str) -> str:
    """The name of a path in the Nix store, hash and all."""
    return path.rpartition("/")[2]


def places(file: str) -> tuple[str, str]:
    """Where a store path may have a file of Debian's.

    As it is, or without the architecture's folder, as headers lie.

    >>> places("include/x86_64-linux-gnu/ffi.h")
    ('include/x86_64-linux-gnu/ffi.h', 'include/ffi.h')
    """
    return file, file.replace("/x86_64-linux-gnu/", "/", 1)


def add_debian_packages(
    found: Found, material: Mapping[str, Any], contents: ImageContents
) -> None:
    """Add the Debian packages of a store path, those of which a file is in the image.

    A package without a list of files is one of which something was generated.
    """
    root = f"{STORE}{store_name(material['path'])}/"
    for package in material["distribution"]:
        record = Path(package["record"])
        files = record / "files"
        if files.exists() and not any(
            root + place in contents.paths
            for file in files.read_text().splitlines()
            for place in places(file)
        ):
            continue
        control = Packages((record / "control").read_text())
        copyright_file = record / "copyright"
        text = (
            copyright_file.read_text(errors="replace")
            if copyright_file.exists()
            else None
        )
        qualifiers = {"arch": package["architecture"], "distro": package["suite"]}
        purl = PackageURL(
            "deb", "debian", package["name"], package["version"], qualifiers
        ).to_string()
        requirements = [
            f"deb:{alternative['name']}"
            for kind in ("depends", "pre-depends")
            for alternatives in control.relations[kind]
            for alternative in alternatives
        ]
        component = Component(
            "deb",
            purl,
            package["name"],
            package["version"],
            licences.of_debian(text, package["source"]),
            purl,
            package["sha256"],
            description=control.get("Description", "").partition("\n")[0],
            homepage=control.get("Homepage", ""),
            properties=(
                ("debian:architecture", package["architecture"]),
                ("debian:source", package["source"]),
            ),
            locations=("/" + root.rstrip("/"),),
        )
        found.add(component, requirements)


def add_distributions(
    found: Found, contents: ImageContents, pinned: Mapping[tuple[str, str], str]
) -> None:
    """Add every Python distribution in the image: installed, vendored, or as a wheel.

    pinned: the SHA-256 of the locks by normalized name and version.
    """
    for folder, metadata in sorted(contents.distributions.items()):
        if "/" in folder.rpartition("/site-packages/")[2]:
            found.add(distribution(metadata, folder))
        else:
            component = distribution(metadata, folder)
            sha256 = pinned.get((component.name, component.version), "")
            requirements = metadata.get_all("Requires-Dist", [])
            found.add(replace(component, sha256=sha256), map(str, requirements))
    for path, (metadata, sha256) in sorted(contents.wheels.items()):
        found.add(replace(distribution(metadata, path), sha256=sha256))


def distribution(metadata: Message, path: str) -> Component:
    """A Python distribution; path: where it lies in the image."""
    name, version = canonicalize_name(str(metadata["Name"])), str(metadata["Version"])
    purl = PackageURL("pypi", None, name, version).to_string()
    return Component(
        "pypi",
        purl,
        name,
        version,
        licences.of_distribution(metadata),
        purl,
        description=str(metadata.get("Summary") or ""),
        homepage=homepage(
            metadata.get("Home-page"), metadata.get_all("Project-URL", [])
        ),
        locations=("/" + path,),
    )


def homepage(field: Optional[str], links: Sequence[str]) -> str:
    """A distribution's page, by its Home-page or the Project-URL of that name."""
    pages = dict(re.split(r",\s*", str(link), maxsplit=1) for link in links)
    named = {label.lower(): page for label, page in pages.items()}
    found = field if field and field != "UNKNOWN" else named.get("homepage", "")
    return str(found) if str(found).startswith(("http://", "https://")) else ""


def add_store_path(found: Found, name: str, material: Mapping[str, Any]) -> None:
    """Add a store path that no package stands for; material: what is known of it."""
    plain = name.partition("-")[2]
    version = material.get("version", "")
    named = material.get("name") or plain
    purl = PackageURL("nix", None, named, version).to_string() if version else ""
    component = Component(
        "nix",
        f"nix:{name}",
        named,
        version,
        licences.of_identifiers(material.get("licences", [])),
        purl,
        description=material.get("description", ""),
        homepage=material.get("homepage", ""),
        locations=(f"/{STORE}{name}",),
    )
    found.add(component)


def add_own(found: Found, own: Mapping[str, Any]) -> None:
    """Add files of the image itself, such as the application."""
    component = Component(
        "own",
        f"own:{own['name']}",
        own["name"],
        own.get("version", ""),
        licences.of_identifiers([own["licence"]] if own.get("licence") else []),
        description=own.get("description", ""),
        locations=tuple(own["locations"]),
    )
    found.add(component, own.get("requires", []))


def holds(requirement: Requirement, environment: Mapping[str, str]) -> bool:
    """Whether a requirement's marker (PEP 508) holds, with whatever extra it names.

    environment: the variables of markers in the image.
    """
    if requirement.marker is None:
        return True
    extras = re.findall(r"extra == \"([^\"]+)\"", str(requirement.marker))
    return any(
        requirement.marker.evaluate({**environment, "extra": extra})
        for extra in ("", *extras)
    )


def is_met(requirement: Requirement, component: Component) -> bool:
    """Whether a distribution is one that a requirement asks for."""
    if (
        component.kind != "pypi"
        or canonicalize_name(requirement.name) != component.name
    ):
        return False
    try:
        version = Version(component.version)
    except InvalidVersion:
        return False
    return requirement.specifier.contains(version, prereleases=True)


def resolve(found: Found, environment: Mapping[str, str]) -> list[Component]:
    """All components with what they require, as far as it is in the image, by key.

    environment: the variables of markers (PEP 508) in the image.
    """
    provided: dict[str, set[str]] = {}
    for key, component in found.components.items():
        if component.kind == "deb":
            provided.setdefault(component.name, set()).add(key)
    components = found.components
    resolved = []
    for key in sorted(components):
        required: set[str] = set()
        for text in found.requirements.get(key, []):
            if text.startswith("deb:"):
                required |= provided.get(text[len("deb:") :], set())
                continue
            try:
                requirement = Requirement(text)
            except InvalidRequirement:
                continue
            if holds(requirement, environment):
                required |= {
                    other
                    for other, known in components.items()
                    if is_met(requirement, known)
                }
        resolved.append(
            replace(components[key], requires=tuple(sorted(required - {key})))
        )
    return resolved


def marker_environment(contents: ImageContents) -> dict[str, str]:
    """The variables of markers (PEP 508) in an image, by its PYTHON_VERSION."""
    entries = contents.configuration["config"].get("Env") or []
    variables = dict(entry.split("=", 1) for entry in entries)
    version = variables.get("PYTHON_VERSION", "")
    environment = {
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    if version:
        environment["python_full_version"] = version
        environment["python_version"] = ".".join(version.split(".")[:2])
    return environment


class IncompleteImage(ValueError):
    """An image lacks a store path that it cannot run without."""


def components_of(
    contents: ImageContents,
    materials: Sequence[Mapping[str, Any]],
    own: Sequence[Mapping[str, Any]],
    required: Sequence[str] = (),
) -> list[Component]:
    """The components of an image, sorted by their keys.

    materials: what the package source says of store paths, in the image or not; own:
    files of the image itself; required: store paths of which a file must be in it. See
    nix/sbom.nix.
    Raises IncompleteImage where one is not: the archive was not read as it is meant.
    """
    found = Found()
    present = contents.store_paths
    for path in required:
        if store_name(path) not in present:
            raise IncompleteImage(
                f"no file of {path} is in the image: its bill of materials would be"
                " incomplete"
            )
    known = {store_name(material["path"]): material for material in materials}
    pinned: dict[tuple[str, str], str] = {
        (canonicalize_name(material["name"]), material["version"]): hexadecimal(
            material["sha256"]
        )
        for material in materials
        if material.get("sha256")
    }
    add_distributions(found, contents, pinned)
    homes = {
        folder[len(STORE) :].partition("/")[0]
        for folder in contents.distributions
        if folder.startswith(STORE)
    }
    for name in sorted(present - homes):
        material = known.get(name, {})
        if material.get("distribution"):
            add_debian_packages(found, material, contents)
        else:
            add_store_path(found, name, material)
    for entry in own:
        add_own(found, entry)
    return resolve(found, marker_environment(contents))
