"""The Python that an environment is for: its markers and the wheels that it takes.

Nothing here is asked of the running Python, which is another one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.version import Version

MACHINE = "x86_64"

# The older names of platforms, by the minor version of the C library (PEP 600, "Legacy
# manylinux tags"); the first is the oldest on this machine.
LEGACY_PLATFORMS = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}


@dataclass(frozen=True)
class Target:
    """A release build of CPython on Linux with the GNU C library, on x86_64."""

    # The version of Python, such as 3.13.5, and of its C library, such as 2.41.
    python: str
    glibc: str

    @property
    def feature_version(self) -> str:
        """The version of the language, such as 3.13."""
        return "{0.major}.{0.minor}".format(Version(self.python))

    def markers(self) -> dict[str, str]:
        """The values of environment markers (PEP 508, "Environment Markers").

        The kernel's release and version would make builds differ from machine to
        machine: they are empty.
        """
        return {
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "os_name": "posix",
            "platform_machine": MACHINE,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": self.python,
            "python_version": self.feature_version,
            "sys_platform": "linux",
        }

    def platforms(self) -> Iterator[str]:
        """The platform tags of wheels that run there, the best first (PEP 600)."""
        for minor in range(Version(self.glibc).minor, min(LEGACY_PLATFORMS) - 1, -1):
            yield f"manylinux_2_{minor}_{MACHINE}"
            if minor in LEGACY_PLATFORMS:
                yield f"{LEGACY_PLATFORMS[minor]}_{MACHINE}"
        yield f"linux_{MACHINE}"

    def tags(self) -> Iterator[Tag]:
        """The tags of wheels that this Python takes, the best first (PEP 425)."""
        version = Version(self.python)
        release = (version.major, version.minor)
        interpreter = f"cp{version.major}{version.minor}"
        platforms = list(self.platforms())
        yield from cpython_tags(release, [interpreter], platforms)
        yield from compatible_tags(release, interpreter, platforms)

    @cached_property
    def ranks(self) -> dict[Tag, int]:
        """Each of the tags to its place in their order."""
        return {tag: place for place, tag in reversed(list(enumerate(self.tags())))}
