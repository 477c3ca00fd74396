"""The exceptions of this command: each is a line for the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locked_file import LockedFile
    from transport import Fault


class MirrorError(Exception):
    """Something that the user can fix.

    The message is one line: what is wrong, where, and the command that fixes it.
    """

    def __str__(self) -> str:
        return one_line(super().__str__())


class AbsentFile(MirrorError):
    """No mirror has a pinned file, and none has another one in its place.

    file: the pinned one; faults: what each address answered, at least one of them that
    it does not have the file.
    """

    def __init__(
        self, message: str, file: LockedFile, faults: Mapping[str, Fault]
    ) -> None:
        super().__init__(message)
        self.file = file
        self.faults = faults


class AbsentFiles(MirrorError):
    """All files that did not come are absent; the message is that of the first one."""

    def __init__(self, message: str, absent: Sequence[AbsentFile]) -> None:
        super().__init__(message)
        self.absent = absent


def one_line(text: str) -> str:
    """A text as it may be shown on a terminal, where others have a part in its words.

    Servers, projects and programs may put characters into it that move the cursor,
    change colours or turn letters around.

    >>> one_line("no \\x1b[2J a\\nb \\u202e")
    'no ?[2J a?b ?'
    """
    return "".join(c if c.isprintable() else "?" for c in text)
