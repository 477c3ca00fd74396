"""What is in the images and what is not, read from the archives themselves."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from operator import methodcaller

import pytest

from .archive import Entry, Image, store_path
from .conftest import PLATFORMS

COMPILERS = {
    "ar",
    "as",
    "c++",
    "cc",
    "cc1",
    "cmake",
    "g++",
    "gcc",
    "ld",
    "make",
    "rustc",
}
BUDGET = {
    "app-example": 69_000_000,
    "app-example-modern": 84_000_000,
    "platform": 110_000_000,
    "platform-full": 320_000_000,
    "platform-python311": 140_000_000,
    "platform-python311-full": 360_000_000,
    "platform-python313": 140_000_000,
    "platform-python313-full": 320_000_000,
}

# Wheels of Poetry's own environment that carry a header among their modules.
WHEEL_DATA = re.compile(r"/site-packages/(cffi|dulwich|rapidfuzz)/[^/]+\.(h|hpp)$")

images = pytest.mark.parametrize("name", list(BUDGET))
images_without_compilers = pytest.mark.parametrize(
    "name", [name for name in BUDGET if not name.endswith("-full")]
)
applications = pytest.mark.parametrize("name", ["app-example", "app-example-modern"])


def complaint(image: Image, entries: list[Entry]) -> str:
    """Every entry with the chain of references that brings it in."""
    return "\n".join(image.chain(entry.path) for entry in entries)


@images_without_compilers
def test_no_compilers(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    # busybox's own applets are links to it
    found = image.matching(
        lambda entry: entry.path.rpartition("/")[2] in COMPILERS
        and (entry.info.isfile() or "busybox" not in entry.info.linkname)
        and "/bin/" in entry.path
    )
    assert not complaint(image, list(found))


@images_without_compilers
def test_no_headers_and_no_static_libraries(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: entry.path.endswith((".h", ".hpp", ".a", ".la", ".pc"))
        and not WHEEL_DATA.search(entry.path)
    )
    assert not complaint(image, list(found))


@pytest.mark.parametrize("platform", PLATFORMS)
def test_full_has_compilers_and_headers(
    archives: Mapping[str, Image], platform: str
) -> None:
    image = archives[f"{platform}-full"]
    paths = [entry.path for entry in image.entries]
    wanted = [f"/bin/{program}" for program in ("ar", "cc", "g++", "ld", "make")]
    wanted += ["/Python.h", "/stdio.h", "/linux/limits.h", "/vector", "/openssl/ssl.h"]
    missing = [
        end for end in wanted if not any(map(methodcaller("endswith", end), paths))
    ]
    assert not missing


@pytest.mark.parametrize("platform", PLATFORMS)
def test_full_is_the_platform_and_more(
    archives: Mapping[str, Image], platform: str
) -> None:
    """A virtual environment filled in the full image finds all of Python's in the other."""
    plain, full = archives[platform], archives[f"{platform}-full"]
    assert set(plain.references) < set(full.references)
    added = {"C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "PKG_CONFIG_PATH"}
    assert set(full.environment) - set(plain.environment) == added
    changed = {
        variable
        for variable, value in plain.environment.items()
        if full.environment[variable] != value
    }
    assert changed == {"PATH"}


@images
def test_no_documentation(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: re.search(r"/share/(doc|man|info)/", entry.path) is not None
    )
    assert not complaint(image, list(found))


@images
def test_nothing_that_no_application_imports(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: re.search(
            r"/lib/python[0-9.]+/(test|tkinter|idlelib|turtledemo|ensurepip)(/|$)"
            r"|/lib-dynload/(_.*test|xxlimited)"
            r"|/(gconv|engines-[^/]*|krb5|audit)(/|$)"
            r"|/share/(i18n|locale|gdb|gcc|terminfo)(/|$)"
            r"|-python3-[0-9.]+/etc(/|$)"
            r"|/locale-archive$",
            entry.path,
        )
        is not None
        and "/site-packages/" not in entry.path
    )
    if name.endswith("-full"):
        # the machine descriptions that gcc reads
        found = (entry for entry in found if "-gcc-" not in entry.path)
    assert not complaint(image, list(found))


@images
def test_byte_code_once(archives: Mapping[str, Image], name: str) -> None:
    """One .pyc a module, none beside an extension module."""
    image = archives[name]
    paths = {entry.path for entry in image.entries}
    extensions = {
        f"{path.rpartition('/')[0]}/{path.rpartition('/')[2].partition('.')[0]}"
        for path in paths
        if path.endswith(".so")
    }
    compiled = [
        entry
        for entry in image.matching(lambda entry: entry.path.endswith(".pyc"))
        if entry.path.startswith("/nix/store/")
    ]
    assert len(compiled) > 500
    for entry in compiled:
        folder, _, file = entry.path.rpartition("/__pycache__/")
        module, tag, _ = file.rsplit(".", 2)
        assert re.fullmatch(r"cpython-3[0-9]+", tag), entry.path
        assert f"{folder}/{module}.py" in paths, entry.path
        assert f"{folder}/{module}" not in extensions, entry.path


@images
def test_no_byte_code_that_no_server_reads(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    modules = re.compile(
        r"/lib/python[0-9.]+/"
        r"((pydoc_data|lib2to3/.*|lib2to3)/__pycache__/[^_].*"
        r"|__pycache__/(_pydecimal|_pyio|_pydatetime)\..*)\.pyc$"
    )
    found = image.matching(lambda entry: modules.search(entry.path) is not None)
    assert not complaint(image, list(found))


@images
def test_no_library_that_nothing_needs(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    libraries = re.compile(
        r"-python3-[0-9.]+/lib/x86_64-linux-gnu/"
        r"lib(expatw|formw|history|menuw|mpdec\+\+|tic)\.so"
    )
    found = image.matching(lambda entry: libraries.search(entry.path) is not None)
    assert not complaint(image, list(found))


@images
def test_no_test_suites_and_no_programs_of_windows(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: entry.path.endswith(".exe")
        or re.search(r"/site-packages/(.*/)?(setuptools|_distutils)/tests$", entry.path)
        is not None
    )
    assert not complaint(image, list(found))


@images
def test_records_name_what_is_there(archives: Mapping[str, Image], name: str) -> None:
    """RECORD (PEP 376) of each distribution, of the files below its own folder."""
    image = archives[name]
    paths = {entry.path for entry in image.entries}
    # vendored ones are as their vendor left them
    installed = re.compile(r"/site-packages/[^/]+/RECORD$")
    records = [path for path in image.records if installed.search(path)]
    assert len(records) > 5
    for path in records:
        root = path.rpartition("/")[0].rpartition("/")[0]
        named = [row[0] for row in csv.reader(image.records[path].splitlines()) if row]
        missing = [
            file
            for file in named
            if not file.startswith("../") and f"{root}/{file}" not in paths
        ]
        assert not missing, path


@images
def test_no_symbols_that_nothing_looks_up(
    archives: Mapping[str, Image], name: str
) -> None:
    """Debian strips its own libraries, but for what its debugger asks for."""
    image = archives[name]
    packaged = [path for path in image.libraries if "/site-packages/" in path]
    assert len(packaged) >= 5
    with_symbols = [path for path in packaged if image.libraries[path]]
    assert not "\n".join(map(image.chain, with_symbols))


@images
def test_one_python(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    interpreters = list(
        image.matching(
            lambda entry: entry.info.isfile()
            and re.search(r"/bin/python[0-9.]*$", entry.path) is not None
        )
    )
    assert len(interpreters) == 1, complaint(image, interpreters)
    libraries = {
        entry.path.rpartition("/")[0]
        for entry in image.matching(lambda entry: entry.path.endswith("/os.py"))
        if re.search(r"/lib/python[0-9.]+/os\.py$", entry.path)
    }
    assert len(libraries) == 1, libraries


@images
def test_one_c_library(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    for pattern in (r"/libc\.so\.6$", r"/ld-linux-x86-64\.so\.2$"):
        found = [
            entry
            for entry in image.matching(lambda entry: not entry.info.isdir())
            if re.search(pattern, entry.path)
        ]
        owners = {store_path(entry.path) for entry in found}
        assert len(owners) == 1, complaint(image, found)


@images
def test_no_pip(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: entry.path.endswith(("/bin/pip", "/bin/pip3", "/pip/__init__.py"))
    )
    assert not complaint(image, list(found))


@applications
def test_no_development_dependencies(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    found = image.matching(
        lambda entry: entry.path.endswith(
            ("/pytest/__init__.py", "/black/__init__.py", "/coverage/__init__.py")
        )
    )
    assert not complaint(image, list(found))


@images
def test_within_the_size_budget(archives: Mapping[str, Image], name: str) -> None:
    size = archives[name].path.stat().st_size
    assert size <= BUDGET[name], f"{size} bytes"


@images
def test_every_reference_is_in_the_image(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    needed = {"/"} | set(image.references)
    links = {
        entry.info.linkname.split("/")[3]
        for entry in image.entries
        if entry.info.issym() and entry.info.linkname.startswith("/nix/store/")
    }
    assert links <= needed


@images
def test_modes_and_owners(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    for path in ("/tmp", "/var/tmp"):
        entry = image.entry(path)
        assert (entry.info.mode, entry.info.uid) == (0o1777, 0), path
    root = image.entry("/application_root").info
    assert (root.uid, root.gid, root.mode) == (1001, 0, 0o775)
    for path in ("/etc/passwd", "/etc/group", "/etc/ssl/certs/ca-bundle.crt"):
        assert image.entry(path).info.uid == 0
    special = [
        entry.path
        for entry in image.entries
        if entry.info.mode & 0o6000 or entry.info.isdev()
    ]
    assert not special, "setuid, setgid or device files"


@applications
def test_application_alone_on_top(archives: Mapping[str, Image], name: str) -> None:
    image = archives[name]
    top = [
        entry.path for entry in image.entries if entry.layer == len(image.layers) - 1
    ]
    modules = ["/application_root/app/__init__", "/application_root/app/main"]
    tag = {"app-example": "cpython-39", "app-example-modern": "cpython-313"}[name]
    assert sorted(top) == sorted(
        [
            *("/", "/application_root", "/application_root/app"),
            "/application_root/app/__pycache__",
            *(f"{module}.py" for module in modules),
            *(
                f"{module.replace('/app/', '/app/__pycache__/')}.{tag}.pyc"
                for module in modules
            ),
        ]
    )


def test_an_edit_changes_the_top_layer_alone(archives: Mapping[str, Image]) -> None:
    before = archives["app-example"].layers
    after = archives["app-example-edited"].layers
    assert len(before) > 6
    assert before[:-1] == after[:-1]
    assert before[-1] != after[-1]


@images
def test_labels_and_tag_say_the_real_version(
    archives: Mapping[str, Image], name: str
) -> None:
    image = archives[name]
    version = image.environment["PYTHON_VERSION"]
    labels = image.configuration["config"]["Labels"]
    assert labels["uvicorn-gunicorn-poetry.python.version"] == version
    (tag,) = image.manifest["RepoTags"]
    expected = {
        "app-example": "app-example:1.0.0",
        "app-example-modern": "app-example-modern:0.1.0",
    }
    for platform in PLATFORMS:
        expected[platform] = f"uvicorn-gunicorn-poetry:python{version}"
        expected[f"{platform}-full"] = f"{expected[platform]}-full"
    assert tag == expected[name]
    assert labels["org.opencontainers.image.title"] == tag.partition(":")[0]
    assert labels["org.opencontainers.image.version"] == tag.partition(":")[2]
