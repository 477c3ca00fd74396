"""The one exception of this command: a line for the user."""


class MirrorError(Exception):
    """Something that the user can mend.

    The message is one line: what is wrong, where, and the command that mends it.
    """
