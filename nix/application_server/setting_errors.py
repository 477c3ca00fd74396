"""What is wrong with the value of an environment variable, in one line.

``gunicorn_configuration`` prints these lines; the modules beside it raise what they find.
"""

from __future__ import annotations

INVALID_CONFIGURATION = 3


class InvalidConfiguration(Exception):
    """Variables have values that are not allowed; ``args`` holds a line for each."""


class UnusableValue(ValueError):
    """A value is well-formed and yet of no use; the text says why.

    It completes a sentence that begins with the variable and its value, as in
    "cannot be loaded: ModuleNotFoundError: No module named 'gevent'".
    """


def one_line(text: str) -> str:
    r"""Return a text with every run of white space replaced by a blank.

    >>> one_line("class not found:\n\n[Traceback]\n")
    'class not found: [Traceback]'
    """
    return " ".join(text.split())


def describe(error: BaseException) -> str:
    """Return an exception's type and message on one line, without its traceback.

    An error of syntax is given without its place, which callers name themselves.

    >>> describe(ZeroDivisionError("division by zero"))
    'ZeroDivisionError: division by zero'
    """
    message: object = error
    if isinstance(error, SyntaxError):
        message = error.msg
    try:
        text = str(message)
    except Exception:
        text = "its message cannot be printed"
    name = type(error).__name__
    return one_line(f"{name}: {text}") if text else name
