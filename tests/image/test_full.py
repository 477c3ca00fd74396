"""The platform image with compilers: programs, and packages that come as source."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .conftest import PLATFORMS, Container, StartContainer, docker, poll

# The two that README.md promises: the image's own user, and any other of group 0. One image is
# enough for the other.
images_and_users = pytest.mark.parametrize(
    "platform, user",
    [("platform", "123456:0"), *((platform, "1001:0") for platform in PLATFORMS)],
)

BUILD_SECONDS = 240.0
PORT = 8000
PROJECT = f"""
[tool.poetry]
name = "project"
version = "1.0.0"
description = ""
authors = []
package-mode = false

[tool.poetry.dependencies]
python = ">=3.9,<3.14"

[[tool.poetry.source]]
name = "index"
url = "http://127.0.0.1:{PORT}/simple/"
priority = "primary"
"""

LIBRARY = """
#include <limits.h>
#include <linux/limits.h>
#include <math.h>
double root(double number) { return sqrt(number) + (PATH_MAX == 4096); }
"""
C_PROGRAM = r"""
#include <ffi.h>
#include <libpq-fe.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <zlib.h>
double root(double);
int main(void) {
    printf("root %.0f, %s\n", root(9), OpenSSL_version(OPENSSL_VERSION));
    return crc32(0, 0, 0) != 0 || PQlibVersion() < 90000 || ffi_type_double.size != 8;
}
"""
CXX_PROGRAM = r"""
#include <iostream>
#include <stdexcept>
#include <thread>
#include <vector>
extern "C" double root(double);
int main() {
    std::vector<double> roots;
    std::thread thread([&] { roots.push_back(root(16)); });
    thread.join();
    try {
        std::cout << roots.at(1);
    } catch (const std::out_of_range &) {
        std::cout << "root " << roots[0] << ", caught" << std::endl;
    }
}
"""
MAKEFILE = """
all: c cxx
c: c.c libroot.so
\tcc -Wall -Werror -o c c.c -L. -lroot -Wl,-rpath,'$$ORIGIN' \\
\t  -lcrypto -lffi -lz `pkg-config --cflags --libs libpq`
cxx: cxx.cc libroot.so
\tc++ -Wall -Werror -O2 -flto -o cxx cxx.cc -L. -lroot -Wl,-rpath,'$$ORIGIN' -pthread
libroot.so: root.c
\tgcc -Wall -Werror -fPIC -shared -o libroot.so root.c -lm
"""


@pytest.fixture(scope="module")
def package_index() -> Path:
    """The folder of nix/checks/package_index.nix."""
    return Path(os.environ["PACKAGE_INDEX"])


def start_builder(
    start: StartContainer, image: str, package_index: Path, user: str
) -> Container:
    """A container without a network, in which the index is served on loopback."""
    container: Container = start(
        image,
        *("-m", "http.server", str(PORT), "--bind", "127.0.0.1"),
        *("--directory", "/package_index"),
        options=(
            *("--entrypoint", "python", "--network", "none", "--user", user),
            *("--volume", f"{package_index}:/package_index:ro"),
        ),
        served=False,
    )
    url = f"http://127.0.0.1:{PORT}/simple/"
    asked = f"import urllib.request as r; r.urlopen('{url}'); print('served')"
    poll(
        lambda: "served" in container.run("python", "-c", asked, check=False).split(),
        "the package index",
    )
    return container


def write(container: Container, folder: str, **files: str) -> None:
    """Write files in a container, as its user; `_` in a name stands for a dot."""
    for name, text in files.items():
        path = f"{folder}/{name.replace('_', '.')}"
        container.run("sh", "-c", 'printf %s "$1" > "$0"', path, text)


def install(container: Container, *packages: str) -> tuple[int, str]:
    """Add packages to an empty project with Poetry; the exit status and what it says."""
    write(container, "/application_root", pyproject_toml=PROJECT)
    done = subprocess.run(
        ["docker", "exec", container.identity, "poetry", "add", "-n", *packages],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
    )
    return done.returncode, done.stdout


@images_and_users
def test_programs_with_a_shared_library(
    start: StartContainer, platform: str, user: str
) -> None:
    container = start(
        f"{platform}-full",
        *("-c", "import signal; signal.pause()"),
        options=("--entrypoint", "python", "--network", "none", "--user", user),
        served=False,
    )
    container.run("mkdir", "/tmp/programs")
    write(
        container,
        "/tmp/programs",
        root_c=LIBRARY,
        c_c=C_PROGRAM,
        cxx_cc=CXX_PROGRAM,
        Makefile=MAKEFILE,
    )
    container.run("make", "-C", "/tmp/programs")
    assert container.run("/tmp/programs/c").startswith("root 4, OpenSSL ")
    assert container.run("/tmp/programs/cxx") == "root 5, caught\n"
    container.run("strip", "/tmp/programs/cxx")
    assert container.run("env", "-i", "/tmp/programs/cxx") == "root 5, caught\n"


USE_CFFI = """
import _cffi_backend, cffi
foreign = cffi.FFI()
foreign.cdef("double sqrt(double);")
print(_cffi_backend.__file__, foreign.dlopen("libm.so.6").sqrt(81.0))
"""
USE_PSYCOPG2 = """
import psycopg2
try:
    psycopg2.connect(host="127.0.0.1", port=1)
except psycopg2.OperationalError as error:
    print(error)
"""
USE_GREENLET = """
import greenlet
print(greenlet.greenlet(lambda number: number + 1).switch(41))
"""


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.timeout(BUILD_SECONDS + 90)
def test_poetry_builds_packages_from_source(
    start: StartContainer, package_index: Path, tmp_path: Path, platform: str
) -> None:
    container = start_builder(start, f"{platform}-full", package_index, "1001:0")
    status, told = install(container, "cffi", "greenlet", "psycopg2")
    assert status == 0, told
    place, root = container.python(USE_CFFI).split()
    assert place.startswith("/application_root/.venv/lib/")
    assert root == "9.0"
    assert container.python(USE_GREENLET) == "42"
    assert "Connection refused" in container.python(USE_PSYCOPG2)

    # A Dockerfile's last stage: the plain image with what was built in the full one.
    docker("cp", f"{container.identity}:/application_root/.venv", f"{tmp_path}/venv")
    tmp_path.chmod(0o755)
    plain = start(
        platform,
        *("-c", "import signal; signal.pause()"),
        options=(
            *("--entrypoint", "python"),
            *("--volume", f"{tmp_path}/venv:/application_root/.venv:ro"),
        ),
        served=False,
    )
    assert plain.python(USE_CFFI).split()[1] == "9.0"
    assert plain.python(USE_GREENLET) == "42"


@pytest.mark.timeout(BUILD_SECONDS + 90)
def test_any_user_of_the_group_builds(
    start: StartContainer, package_index: Path
) -> None:
    container = start_builder(start, "platform-full", package_index, "123456:0")
    status, told = install(container, "cffi")
    assert status == 0, told
    assert container.python(USE_CFFI).split()[1] == "9.0"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_plain_image_says_that_a_compiler_is_missing(
    start: StartContainer, package_index: Path, platform: str
) -> None:
    container = start_builder(start, platform, package_index, "1001:0")
    status, told = install(container, "cffi")
    assert status == 1
    last = [line for line in told.splitlines() if "error: command" in line][-1]
    # Poetry 2 begins each line of a build with a bar.
    last = last.strip(" |")
    assert last.startswith("error: command '")
    assert last.endswith("gcc' failed: No such file or directory")
