"""Lets Poetry ask the index that pip on this machine is configured with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import package_index

# Where Debian's pip and apt take certificates from (ca-certificates(8)).
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Variables for programs that are run, those that `base` does not set itself.

    POETRY_PYPI_MIRROR_URL is what Poetry's plugin poetry-plugin-pypi-mirror asks in place
    of PyPI. REQUESTS_CA_BUNDLE are pip's certificates, otherwise the machine's: Poetry's
    HTTP library brings its own, which know no company's authority.
    """
    index = package_index.Index(base)
    found = {}
    if index.roots:
        found["POETRY_PYPI_MIRROR_URL"] = index.roots[0].rstrip("/")
    certificates = index.options.cert or SYSTEM_CERTIFICATES
    if Path(certificates).exists():
        found["REQUESTS_CA_BUNDLE"] = str(certificates)
    return {name: value for name, value in found.items() if not base.get(name)}
