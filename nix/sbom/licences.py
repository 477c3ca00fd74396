"""What the packages of an image say of their licences, as SPDX license expressions.

Nothing is guessed: what is no expression is kept as it is told, and where nothing is
told the licence is unknown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import Optional

from debian.copyright import Copyright, NotMachineReadableError
from license_expression import ExpressionError, ExpressionParseError, get_spdx_licensing

# It tells of addresses that it corrects.
logging.getLogger("debian.copyright").setLevel(logging.ERROR)

SPDX = get_spdx_licensing()
IDENTIFIERS = {symbol.lower(): symbol for symbol in SPDX.known_symbols}

# Short names of Debian's that SPDX has under another name
# (machine-readable copyright files 1.0, "License specification").
DEBIAN_NAMES = {
    "apache-2": "Apache-2.0",
    "artistic": "Artistic-1.0",
    "expat": "MIT",
    "perl": "Artistic-1.0-Perl OR GPL-1.0-or-later",
    "python": "PSF-2.0",
}
GNU = re.compile(r"(A?GPL|LGPL|GFDL)-(\d+)(\.\d+)?(\+)?", re.IGNORECASE)

# Trove classifiers that mean one licence (PEP 639, "Mapping License Classifiers").
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}

# Of copyright files that are not machine-readable.
REMARK = "The copyright file refers to the common licenses "
COMMON_LICENSE = re.compile(r"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])")


@dataclass(frozen=True)
class Licence:
    """A package's licence.

    expression: in SPDX' form, None where it is unknown; told: what the package says
    where that is no expression; remark: what else hints at it; texts: those of the
    expression's LicenseRefs.
    """

    expression: Optional[str] = None
    told: str = ""
    remark: str = ""
    texts: tuple[tuple[str, str], ...] = field(default=())


def spdx_expression(text: str) -> Optional[str]:
    """A valid SPDX license expression in its usual spelling; None if it is none."""
    try:
        parsed = SPDX.parse(text, validate=True, strict=True)
    except (ExpressionError, ExpressionParseError):
        return None
    return None if parsed is None else str(parsed)


def license_reference(scope: str, name: str) -> str:
    """The name of a licence that SPDX does not list (SPDX 2.3, clause 10).

    >>> license_reference("zlib", "public domain")
    'LicenseRef-zlib-public-domain'
    """
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", f"{scope}-{name}").strip("-")


def debian_identifier(name: str) -> Optional[str]:
    """A short name of Debian's in SPDX' form; None where SPDX has none.

    >>> debian_identifier("GPL-2+"), debian_identifier("LGPL-2.1")
    ('GPL-2.0-or-later', 'LGPL-2.1-only')
    """
    gnu = GNU.fullmatch(name)
    if gnu is not None:
        family, major, minor, later = gnu.groups()
        name = f"{family}-{major}{minor or '.0'}-{'or-later' if later else 'only'}"
    return DEBIAN_NAMES.get(name.lower()) or IDENTIFIERS.get(name.lower())


def debian_expression(synopsis: str, scope: str) -> tuple[str, list[str]]:
    """The first line of a License field as an expression, and the names SPDX lacks.

    In such a line a comma separates wider than "and" and "or" do.

    >>> debian_expression("GPL-2+ or Artistic, and mine", "a")
    ('(GPL-2.0-or-later OR Artistic-1.0) AND LicenseRef-a-mine', ['mine'])
    """
    unlisted = []

    def identifier(name: str) -> str:
        known = debian_identifier(name)
        if known is None:
            unlisted.append(name)
            return license_reference(scope, name)
        return f"({known})" if " " in known else known

    def joined(text: str, words: Sequence[tuple[str, str]]) -> str:
        if not words:
            return identifier(text.strip())
        (pattern, operator), *narrower = words
        parts = [part for part in re.split(pattern, text) if part.strip()]
        inner = [joined(part, narrower) for part in parts]
        if len(inner) == 1:
            return inner[0]
        grouped = [
            f"({each})" if re.search(" (AND|OR) ", each) else each for each in inner
        ]
        return f" {operator} ".join(grouped)

    text = " ".join(synopsis.split())
    levels = [
        (r",\s*and\s+", "AND"),
        (r",\s*or\s+|,\s*", "OR"),
        (r"\s+(?:and/or|or)\s+", "OR"),
        (r"\s+and\s+", "AND"),
    ]
    return joined(text, levels), unlisted


def of_debian(copyright_file: Optional[str], source: str) -> Licence:
    """The licence of a Debian package, by the copyright file of its source package.

    All licences of the source count, whether or not their files are in the package.
    A file that is not machine-readable only tells which common licences it names.
    """
    if copyright_file is None:
        return Licence()
    try:
        parsed = Copyright(copyright_file.splitlines(), strict=False)
    except (NotMachineReadableError, ValueError):
        named = sorted(set(COMMON_LICENSE.findall(copyright_file)))
        return Licence(remark=REMARK + ", ".join(named) if named else "")
    texts = {
        paragraph.license.synopsis: paragraph.license.text
        for paragraph in parsed.all_license_paragraphs()
        if paragraph.license is not None
    }
    expressions: dict[str, None] = {}
    references: dict[str, str] = {}
    for paragraph in parsed.all_files_paragraphs():
        if paragraph.license is None or not paragraph.license.synopsis.strip():
            continue
        synopsis = paragraph.license.synopsis
        expression, unlisted = debian_expression(synopsis, source)
        expressions[expression] = None
        for name in unlisted:
            text = texts.get(name) or paragraph.license.text or synopsis
            references.setdefault(license_reference(source, name), text)
    if not expressions:
        return Licence()
    together = " AND ".join(
        f"({each})" if " OR " in each and len(expressions) > 1 else each
        for each in sorted(expressions)
    )
    simplified = str(SPDX.parse(together).simplify())
    return Licence(simplified, texts=tuple(sorted(references.items())))


def of_distribution(metadata: Message) -> Licence:
    """The licence of an installed Python distribution, by its METADATA (PEP 639)."""
    classifiers = [
        str(classifier).rpartition(" :: ")[2]
        for classifier in metadata.get_all("Classifier", [])
        if str(classifier).startswith("License :: ")
    ]
    field = str(metadata.get("License") or "").strip()
    for told in (str(metadata.get("License-Expression") or ""), field):
        expression = spdx_expression(told) if told else None
        if expression is not None:
            return Licence(expression)
    mapped = {CLASSIFIERS.get(classifier) for classifier in classifiers}
    if len(mapped) == 1 and None not in mapped:
        return Licence(mapped.pop())
    told = field.splitlines()[0] if field and field != "UNKNOWN" else ""
    return Licence(told=told or "; ".join(classifiers))


def of_identifiers(identifiers: Sequence[str]) -> Licence:
    """The licence of a package whose source names SPDX identifiers, all of which hold."""
    expression = spdx_expression(" AND ".join(f"({each})" for each in identifiers))
    return Licence(expression) if expression else Licence(told="; ".join(identifiers))
