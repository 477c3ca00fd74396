"""The bill of materials of an image in CycloneDX 1.6 and in SPDX 2.3.

Written by the formats' own libraries, and validated by them. The same components give
the same bytes: what other programs draw at random or from the clock (the serial number,
the document's namespace, the time) is derived from the image.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from components import Component
from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model import component as cdx
from cyclonedx.model.bom import Bom
from cyclonedx.model.component_evidence import ComponentEvidence, Occurrence
from cyclonedx.model.license import DisjunctiveLicense, License, LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from licences import SPDX, Licence
from packageurl import PackageURL
from spdx_tools.spdx import model as spdx
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
from spdx_tools.spdx.writer.write_anything import write_file

NAMESPACE = "uvicorn-gunicorn-poetry"
TYPES = {
    "deb": cdx.ComponentType.LIBRARY,
    "pypi": cdx.ComponentType.LIBRARY,
    "nix": cdx.ComponentType.FILE,
    "own": cdx.ComponentType.APPLICATION,
}


class InvalidDocument(Exception):
    """A document is not valid in its format; the message is one line that says why."""


@dataclass(frozen=True)
class Subject:
    """The image that is described.

    digest: the SHA-256 of its configuration; created: as that says.
    """

    name: str
    tag: str
    digest: str
    created: datetime

    def identity(self, components: Sequence[Component]) -> uuid.UUID:
        """A UUID of the image and what is said of it (RFC 4122, version 5)."""
        said = "\n".join([self.name, self.tag, self.digest, *map(repr, components)])
        return uuid.uuid5(uuid.NAMESPACE_OID, said)


def cyclonedx_licence(licence: Licence) -> License:
    """A licence as CycloneDX has it; what is unknown is named NOASSERTION."""
    if licence.expression is not None:
        return LicenseExpression(licence.expression)
    return DisjunctiveLicense(name=licence.told or "NOASSERTION")


def cyclonedx_component(component: Component) -> cdx.Component:
    """A component as CycloneDX has it."""
    remark = component.licence.remark
    return cdx.Component(
        name=component.name,
        version=component.version or None,
        type=TYPES[component.kind],
        bom_ref=component.key,
        purl=PackageURL.from_string(component.purl) if component.purl else None,
        description=component.description or None,
        licenses=[cyclonedx_licence(component.licence)],
        hashes=(
            [HashType(alg=HashAlgorithm.SHA_256, content=component.sha256)]
            if component.sha256
            else []
        ),
        external_references=(
            [
                ExternalReference(
                    type=ExternalReferenceType.WEBSITE, url=XsUri(component.homepage)
                )
            ]
            if component.homepage
            else []
        ),
        properties=[
            Property(name=f"{NAMESPACE}:{name}", value=value)
            for name, value in component.properties
            + ((("licence-remark", remark),) if remark else ())
        ],
        evidence=ComponentEvidence(
            # Without a name the library orders them by where they lie in memory.
            occurrences=[
                Occurrence(location=path, bom_ref=f"{component.key}#{path}")
                for path in component.locations
            ]
        ),
    )


def cyclonedx_document(subject: Subject, components: Sequence[Component]) -> str:
    """The document in CycloneDX 1.6. Raises InvalidDocument."""
    image = cdx.Component(
        name=subject.name,
        version=subject.tag,
        type=cdx.ComponentType.CONTAINER,
        bom_ref="image",
        properties=[
            Property(name=f"{NAMESPACE}:configuration-sha256", value=subject.digest)
        ],
    )
    bom = Bom(serial_number=subject.identity(components))
    bom.metadata.timestamp = subject.created
    bom.metadata.component = image
    described = {each.key: cyclonedx_component(each) for each in components}
    for each in described.values():
        bom.components.add(each)
    bom.register_dependency(image, described.values())
    for each in components:
        required = [described[key] for key in each.requires]
        bom.register_dependency(described[each.key], required)
    outputter = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6)
    text: str = outputter.output_as_string(indent=1)
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise InvalidDocument(f"CycloneDX: {' '.join(str(error).split())[:500]}")
    return text + "\n"


def spdx_identifier(key: str) -> str:
    """A component's key as an SPDX identifier (SPDX 2.3, clause 7.2).

    The key's own characters come back: two keys never share an identifier.

    >>> spdx_identifier("pkg:pypi/a_b@1.0")
    'SPDXRef-pkg.3a.pypi.2f.a.5f.b.40.1.2e.0'
    """

    def escape(found: "re.Match[str]") -> str:
        return f".{ord(found[0]):x}."

    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9-]", escape, key)


def spdx_package(component: Component) -> spdx.Package:
    """A component as SPDX has it."""
    licence = component.licence
    return spdx.Package(
        spdx_id=spdx_identifier(component.key),
        name=component.name,
        version=component.version or None,
        download_location=spdx.SpdxNoAssertion(),
        files_analyzed=False,
        license_concluded=spdx.SpdxNoAssertion(),
        license_declared=(
            SPDX.parse(licence.expression)
            if licence.expression is not None
            else spdx.SpdxNoAssertion()
        ),
        license_comment=(
            f"The package says: {licence.told}"
            if licence.told
            else licence.remark or None
        ),
        copyright_text=spdx.SpdxNoAssertion(),
        homepage=component.homepage or None,
        summary=component.description or None,
        comment="\n".join(component.locations) or None,
        checksums=(
            [spdx.Checksum(spdx.ChecksumAlgorithm.SHA256, component.sha256)]
            if component.sha256
            else []
        ),
        external_references=(
            [
                spdx.ExternalPackageRef(
                    spdx.ExternalPackageRefCategory.PACKAGE_MANAGER,
                    "purl",
                    component.purl,
                )
            ]
            if component.purl
            else []
        ),
    )


def spdx_document(subject: Subject, components: Sequence[Component]) -> spdx.Document:
    """The document in SPDX 2.3. Raises InvalidDocument."""
    image = spdx.Package(
        spdx_id="SPDXRef-image",
        name=subject.name,
        version=subject.tag,
        download_location=spdx.SpdxNoAssertion(),
        files_analyzed=False,
        comment=f"The configuration's SHA-256 is {subject.digest}.",
        primary_package_purpose=spdx.PackagePurpose.CONTAINER,
    )
    relation = spdx.RelationshipType
    relationships = [
        spdx.Relationship("SPDXRef-DOCUMENT", relation.DESCRIBES, image.spdx_id)
    ]
    texts: dict[str, str] = {}
    for each in components:
        name = spdx_identifier(each.key)
        relationships.append(spdx.Relationship(image.spdx_id, relation.CONTAINS, name))
        relationships += [
            spdx.Relationship(name, relation.DEPENDS_ON, spdx_identifier(key))
            for key in each.requires
        ]
        texts.update(each.licence.texts)
    document = spdx.Document(
        creation_info=spdx.CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=f"{subject.name}-{subject.tag}",
            document_namespace=f"urn:uuid:{subject.identity(components)}",
            creators=[spdx.Actor(spdx.ActorType.TOOL, NAMESPACE)],
            created=subject.created.replace(tzinfo=None),
        ),
        packages=[image, *map(spdx_package, components)],
        relationships=relationships,
        extracted_licensing_info=[
            spdx.ExtractedLicensingInfo(license_id=name, extracted_text=text)
            for name, text in sorted(texts.items())
        ],
    )
    problems = validate_full_spdx_document(document)
    if problems:
        raise InvalidDocument(f"SPDX: {problems[0].validation_message}")
    return document


def write_documents(
    folder: Path, subject: Subject, components: Sequence[Component]
) -> None:
    """Write both documents into a new folder. Raises InvalidDocument."""
    bill = cyclonedx_document(subject, components)
    document = spdx_document(subject, components)
    folder.mkdir(parents=True)
    (folder / "cyclonedx.json").write_text(bill)
    path = folder / "spdx.json"
    write_file(document, str(path), validate=False)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
