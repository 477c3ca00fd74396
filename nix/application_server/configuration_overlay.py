"""A configuration file of the user's own, laid over the one of the images.

The file is Gunicorn's usual Python file: each module variable whose name is one of
Gunicorn's settings counts, all others are the file's own business. It is compiled from
its source each time, for byte code is told from an edited source by the second and the
size alone, and Gunicorn reads its configuration anew at SIGHUP.

Source: Gunicorn's ``app/base.py``, ``load_config_from_module_name_or_filename``.
"""

from __future__ import annotations

import os
import sys
import types
from typing import Any

from setting_errors import UnusableValue, describe, one_line

MODULE_NAME = "gunicorn_conf_of_the_user"

# What was last read without an error. It outlives the configuration module, which
# Gunicorn runs anew at SIGHUP.
variables_in_force: dict[str, Any] | None = None


def known_settings() -> dict[str, Any] | None:
    """Return Gunicorn's settings by name, or ``None`` where it cannot be imported."""
    try:
        from gunicorn.config import make_settings
    except Exception:
        return None
    settings: dict[str, Any] = make_settings()
    return settings


def line_of(error: BaseException, path: str) -> int | None:
    """Return the line of a file at which an exception arose, as far as it did there.

    Of several lines, the one that was reached last counts.
    """
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    line = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def run_file(path: str) -> dict[str, Any]:
    """Run a Python file as a module of its own and return the module's variables.

    Raises ``UnusableValue`` if the file cannot be read, or ends with an exception;
    ``SystemExit`` counts as one.
    """
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise UnusableValue(f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UnusableValue(f"cannot be read: {describe(error)}") from error
    module = types.ModuleType(MODULE_NAME)
    module.__file__ = path
    sys.modules[MODULE_NAME] = module
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(module))
    except (Exception, SystemExit) as error:
        line = line_of(error, path)
        place = "fails" if line is None else f"fails in line {line}"
        raise UnusableValue(f"{place}: {describe(error)}") from error
    return vars(module)


def read_overlay(path: str) -> dict[str, Any]:
    """Return the Gunicorn settings that a file contains, checked by Gunicorn itself.

    Hooks come as functions, also those given as "module.function". Where Gunicorn
    cannot be imported, all variables of the file are returned as they are.
    Raises ``UnusableValue`` with the first reason why the file is of no use.
    """
    variables = run_file(os.path.abspath(path))
    settings = known_settings()
    if settings is None:
        return variables
    overlay: dict[str, Any] = {}
    for name, value in variables.items():
        if name not in settings:
            continue
        try:
            settings[name].set(value)
        except Exception as error:
            shown = one_line(f"{name} = {value!r}")
            raise UnusableValue(f"contains {shown}: {describe(error)}") from error
        is_hook = callable(settings[name].get()) and isinstance(value, str)
        overlay[name] = settings[name].get() if is_hook else value
    return overlay
