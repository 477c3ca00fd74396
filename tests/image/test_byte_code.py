"""The application's byte code: there from the start, and never instead of an edit."""

from __future__ import annotations

from .conftest import StartContainer, poll

# The flags of a .pyc that names its source's hash, which is to be checked (PEP 552).
CHECKED_HASH = "0b11"
FACTS = """
import importlib.util
from app import main
print(bin(int.from_bytes(open(main.__cached__, "rb").read(8)[4:], "little")))
print(main.__spec__.loader.get_code("app.main").co_filename)
print(importlib.util.cache_from_source(main.__file__) == main.__cached__)
"""


def test_it_is_there(start: StartContainer) -> None:
    container = start("app-example", served=False)
    assert container.python(FACTS).splitlines() == [
        *(CHECKED_HASH, "/application_root/app/main.py", "True"),
    ]
    told = container.run("python", "-v", "-c", "import app.main")
    assert "/application_root/app/__pycache__/main.cpython-39.pyc matches" in told


def test_an_edit_in_the_container_counts(start: StartContainer) -> None:
    container = start("app-example", options=("--user", "0"))
    assert container.answer() == '"Hello World!"'
    # Neither the length of the file nor its time changes.
    container.run(
        *("sh", "-c"),
        "touch -r app/main.py /tmp/time && sed -i s/World/Earth/ app/main.py"
        " && touch -r /tmp/time app/main.py && kill -HUP 1",
    )
    poll(lambda: container.answer() == '"Hello Earth!"', "the edited answer")
