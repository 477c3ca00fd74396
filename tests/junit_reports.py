"""A pytest plugin: reports of test runs elsewhere count in a run.

A file junit.xml among the arguments is collected: each of its test cases is an item that
passes, fails or is skipped as it did there, so that one summary counts them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional
from xml.etree import ElementTree

import pytest


class ReportedTest(pytest.Item):
    """A test case of a report."""

    def __init__(self, *, case: ElementTree.Element, **options: Any) -> None:
        super().__init__(**options)
        self.case = case

    def runtest(self) -> None:
        """Do as the case did: pass, fail with its text, or skip with its reason."""
        for kind in ("failure", "error"):
            found = self.case.find(kind)
            if found is not None:
                pytest.fail(found.text or found.get("message") or kind, pytrace=False)
        skipped = self.case.find("skipped")
        if skipped is not None:
            pytest.skip(skipped.get("message", ""))

    def reportinfo(self) -> tuple[Path, Optional[int], str]:
        """Where the case stands: the report, no line, and its name."""
        return self.path, None, self.name


class Report(pytest.File):
    """A report in JUnit's format, as `pytest --junitxml` writes it."""

    def collect(self) -> Iterator[ReportedTest]:
        """The report's cases. A report without any is an error."""
        cases = list(ElementTree.parse(self.path).getroot().iter("testcase"))
        if not cases:
            raise self.CollectError(f"{self.path} reports no test")
        for case in cases:
            name = f"{case.get('classname')}.{case.get('name')}"
            yield ReportedTest.from_parent(self, name=name, case=case)


def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Optional[pytest.Collector]:
    """Collect reports beside test modules (pytest's hook of this name)."""
    if file_path.name == "junit.xml":
        return Report.from_parent(parent, path=file_path)
    return None
