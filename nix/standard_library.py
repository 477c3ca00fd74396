"""Imports what Python's documentation lists of the standard library; run while images build.

CPython's own build succeeds without modules whose libraries it did not find, and pure
Python stands in for some of them in silence: `decimal` without `_decimal` is 60 times
slower.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Iterator

# The modules of The Python Standard Library that every Python here has, on Linux. Left out:
# what distributions package apart (dbm.gnu, ensurepip, idlelib, tkinter, turtle, venv), and
# `antigravity` and `this`, which do something when they are imported.
MODULES = """
    __future__ abc argparse array ast asyncio atexit base64 bdb binascii bisect builtins bz2
    calendar cmath cmd code codecs codeop collections collections.abc colorsys compileall
    concurrent.futures configparser contextlib contextvars copy copyreg cProfile csv ctypes
    curses curses.ascii curses.panel curses.textpad dataclasses datetime dbm dbm.dumb decimal
    difflib dis doctest email encodings.idna encodings.utf_8_sig enum errno faulthandler fcntl
    filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib
    grp gzip hashlib heapq hmac html html.entities html.parser http http.client http.cookiejar
    http.cookies http.server imaplib importlib importlib.abc importlib.machinery
    importlib.metadata importlib.resources importlib.util inspect io ipaddress itertools json
    json.tool keyword linecache locale logging logging.config logging.handlers lzma mailbox
    marshal math mimetypes mmap modulefinder multiprocessing multiprocessing.connection
    multiprocessing.dummy multiprocessing.managers multiprocessing.pool
    multiprocessing.shared_memory multiprocessing.sharedctypes netrc numbers operator optparse
    os os.path pathlib pdb pickle pickletools pkgutil platform plistlib poplib posix pprint
    profile pstats pty pwd py_compile pyclbr pydoc queue quopri random re readline reprlib
    resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site
    smtplib socket socketserver sqlite3 ssl stat statistics string stringprep struct subprocess
    symtable sys sysconfig syslog tabnanny tarfile tempfile termios textwrap threading time
    timeit token tokenize trace traceback tracemalloc tty types typing unicodedata unittest
    unittest.mock urllib.error urllib.parse urllib.request urllib.response urllib.robotparser
    uuid warnings wave weakref webbrowser wsgiref wsgiref.handlers wsgiref.simple_server
    wsgiref.util wsgiref.validate xml.dom xml.dom.minidom xml.dom.pulldom
    xml.etree.ElementTree xml.parsers.expat xml.sax xml.sax.handler xml.sax.saxutils
    xmlrpc.client xmlrpc.server zipapp zipfile zipimport zlib zoneinfo
""".split()

# Modules in C that pure Python would stand in for, or that others only need when they are used.
IN_C = """
    _asyncio _bisect _bz2 _csv _ctypes _curses _curses_panel _datetime _decimal _elementtree
    _hashlib _heapq _json _lsprof _lzma _multiprocessing _pickle _posixshmem _posixsubprocess
    _queue _random _socket _sqlite3 _ssl _struct _uuid _zoneinfo pyexpat
""".split()

# Those that a later Python no longer has, with the first one that does not.
REMOVED = {
    (3, 12): "asynchat asyncore distutils imp smtpd",
    (
        3,
        13,
    ): "aifc audioop cgi cgitb chunk crypt imghdr lib2to3 mailcap nntplib pipes sndhdr"
    " spwd sunau telnetlib uu xdrlib",
}


def expected(version: tuple[int, ...]) -> list[str]:
    """Return the modules that a Python of this version, such as (3, 9), has."""
    removed = [names.split() for first, names in REMOVED.items() if version < first]
    return [*MODULES, *IN_C, *(name for names in removed for name in names)]


def failures(names: list[str]) -> Iterator[str]:
    """Yield a line for each module that does not import."""
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:
            yield f"{name}: {error}"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    lines = list(failures(expected(sys.version_info[:2])))
    for line in lines:
        print(line, file=sys.stderr)
    if lines:
        sys.exit(f"error: Python {sys.version.split()[0]} lacks modules: see above")
