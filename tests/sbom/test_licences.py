"""What packages say of their licences, as SPDX expressions."""

from __future__ import annotations

import doctest
import email
from email.message import Message
from typing import Optional

import licences
import pytest
from debian.copyright import Header
from hypothesis import given
from hypothesis import strategies as st
from licences import SPDX, Licence

COPYRIGHT = f"""\
Format: {Header().format}

Files: *
Copyright: 2020 Somebody
License: GPL-2+ or Expat

Files: b/*
Copyright: 2021 Somebody
License: home-made
 Do what you like.

Files: c/*
Copyright: 2021 Somebody
License: GPL-2+ or Expat

License: GPL-2+
 On Debian systems see /usr/share/common-licenses/GPL-2.

License: Expat
 Permission is hereby granted.
"""


def test_examples() -> None:
    result = doctest.testmod(licences)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    "synopsis, expected",
    [
        ("Expat", "MIT"),
        ("GPL-3", "GPL-3.0-only"),
        ("LGPL-2.1+", "LGPL-2.1-or-later"),
        ("GFDL-1.3", "GFDL-1.3-only"),
        ("bsd-3-clause", "BSD-3-Clause"),
        ("Apache-2.0", "Apache-2.0"),
        ("BSD-3-clause or GPL-2", "BSD-3-Clause OR GPL-2.0-only"),
        ("Zlib and Expat", "Zlib AND MIT"),
        ("Zlib and Expat or ISC", "(Zlib AND MIT) OR ISC"),
        ("GPL-1+ or Artistic, and Expat", "(GPL-1.0-or-later OR Artistic-1.0) AND MIT"),
        ("Perl", "(Artistic-1.0-Perl OR GPL-1.0-or-later)"),
        ("public-domain", "LicenseRef-s-public-domain"),
        ("GPL-2+ with OpenSSL exception", "LicenseRef-s-GPL-2-with-OpenSSL-exception"),
    ],
)
def test_names_of_debian(synopsis: str, expected: str) -> None:
    assert licences.debian_expression(synopsis, "s")[0] == expected


@given(
    st.lists(
        st.sampled_from(["GPL-2+", "Expat", "odd", "a b", "X_y!", "Perl", "Zlib"]),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_every_synopsis_is_an_expression(names: list[str], data: st.DataObject) -> None:
    synopsis = names[0]
    for name in names[1:]:
        word = data.draw(
            st.sampled_from([" or ", " and ", ", and ", ", or ", " and/or "])
        )
        synopsis += word + name
    expression, unlisted = licences.debian_expression(synopsis, "source")
    parsed = SPDX.parse(expression)
    keys = set(map(str, SPDX.license_keys(parsed)))
    references = {licences.license_reference("source", name) for name in unlisted}
    assert {key for key in keys if key.startswith("LicenseRef-")} == references
    assert len(keys - references) <= 2 * len(names)


def test_machine_readable() -> None:
    licence = licences.of_debian(COPYRIGHT, "thing")
    assert licence.expression == (
        "LicenseRef-thing-home-made AND (GPL-2.0-or-later OR MIT)"
    )
    assert licence.texts == (("LicenseRef-thing-home-made", "Do what you like."),)


@pytest.mark.parametrize(
    "text, remark",
    [
        (None, ""),
        ("", ""),
        ("This package was debianized by hand.", ""),
        (
            "Debianized.\n\nSee /usr/share/common-licenses/LGPL-2.1.\n"
            "And `/usr/share/common-licenses/GPL-2'.",
            licences.REMARK + "GPL-2, LGPL-2.1",
        ),
    ],
)
def test_not_machine_readable(text: Optional[str], remark: str) -> None:
    assert licences.of_debian(text, "thing") == Licence(remark=remark)


def metadata(*lines: str) -> Message:
    return email.message_from_string("\n".join(["Name: x", *lines, "", ""]))


MIT = "Classifier: License :: OSI Approved :: MIT License"
BSD = "Classifier: License :: OSI Approved :: BSD License"


@pytest.mark.parametrize(
    "lines, expected",
    [
        (["License-Expression: MIT OR Apache-2.0"], Licence("MIT OR Apache-2.0")),
        (["License-Expression: mit", "License: BSD"], Licence("MIT")),
        (["License: MIT", BSD], Licence("MIT")),
        (["License: The licence of mine", MIT], Licence("MIT")),
        (["License: BSD", BSD], Licence(told="BSD")),
        ([BSD], Licence(told="BSD License")),
        ([MIT, BSD], Licence(told="MIT License; BSD License")),
        (["License: UNKNOWN", MIT], Licence("MIT")),
        (["License: Permission\n  is granted"], Licence(told="Permission")),
        ([], Licence()),
    ],
)
def test_distributions(lines: list[str], expected: Licence) -> None:
    assert licences.of_distribution(metadata(*lines)) == expected


def test_all_of_a_source_s_identifiers_hold() -> None:
    assert licences.of_identifiers(["MIT", "GPL-2.0-only OR ISC"]) == Licence(
        "MIT AND (GPL-2.0-only OR ISC)"
    )
    assert licences.of_identifiers(["Unfree"]) == Licence(told="Unfree")
    assert licences.of_identifiers([]) == Licence()
