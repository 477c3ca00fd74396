"""The platform image as a base: app-example/Dockerfile, built by `docker build`.

The packages come from a simple index on loopback, over wheels in the Nix store.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import ssl
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Optional
from xml.etree import ElementTree

import pytest
import tomli

from .conftest import (
    PLATFORMS,
    Container,
    Containers,
    OnDemand,
    docker,
    poll,
    write_application,
)

BUILD_SECONDS = 300.0
RELOAD_SECONDS = 2.0
LABEL = "uvicorn-gunicorn-poetry.test"

pytestmark = pytest.mark.timeout(2 * BUILD_SECONDS)

STAGES = (
    "dependencies",
    "development-dependencies",
    "development",
    "test",
    "black",
    "production",
)
# Of each platform image, a folder here with a project that its Python and its server fit.
COMPILED = {
    "platform": "compiled_wheels",
    "platform-python311": "compiled_wheels_current",
    "platform-python313": "compiled_wheels_current",
}
DEVELOPMENT_DEPENDENCIES = {"black", "coverage", "pytest", "pytest-cov", "requests"}

DISTRIBUTIONS = """
import importlib.metadata, json
found = importlib.metadata.distributions()
print(json.dumps([[d.metadata["Name"], d.version] for d in found]))
"""

COMPILED_APPLICATION = """
import asyncio
import json

import pydantic


class Answer(pydantic.BaseModel):
    pydantic: str
    loop: str


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    loop = type(asyncio.get_running_loop()).__module__
    answer = Answer(pydantic=pydantic.VERSION, loop=loop).model_dump_json().encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer})
"""

# A certificate for 127.0.0.1 that signs itself, and its key, as PEM; Poetry has cryptography.
CERTIFICATE = """
import datetime, ipaddress
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

key = ec.generate_private_key(ec.SECP256R1())
name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company")])
now = datetime.datetime.now(datetime.timezone.utc)
address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
certificate = (
    x509.CertificateBuilder(name, name, key.public_key(), 1)
    .not_valid_before(now - datetime.timedelta(days=1))
    .not_valid_after(now + datetime.timedelta(days=1))
    .add_extension(x509.SubjectAlternativeName([address]), critical=False)
    .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    .sign(key, hashes.SHA256())
)
pem = serialization.Encoding.PEM
private = serialization.PrivateFormat.PKCS8
print(certificate.public_bytes(pem).decode())
print(key.private_bytes(pem, private, serialization.NoEncryption()).decode())
"""


def given(variable: str) -> Path:
    """The path that a variable of the environment names."""
    if variable not in os.environ:
        pytest.fail(
            f"no {variable} in the environment: ./mirror nix run .#docker-tests"
        )
    return Path(os.environ[variable])


class IndexHandler(SimpleHTTPRequestHandler):
    """Lists folders as pages of links, which is a simple index, and keeps quiet."""

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


@contextmanager
def served_index(context: Optional[ssl.SSLContext] = None) -> Iterator[str]:
    """A simple index (PEP 503) of the wheels; gives its URL.

    context: serve it over TLS.
    """
    handler = functools.partial(IndexHandler, directory=str(given("WHEELS")))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            scheme = "http" if context is None else "https"
            yield f"{scheme}://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Builder:
    """Builds images on the platform image, and removes them.

    base: the name of the image to build on, which carries `label`; all that is built
    on it inherits that.
    """

    index: str
    base: str
    label: str
    built: list[str] = field(default_factory=list)

    def docker_build(
        self,
        folder: Path,
        *options: str,
        base: Optional[str] = None,
        dockerfile: Optional[str] = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run `docker build` on the machine's network.

        base: another image to build on; dockerfile: a Dockerfile's text, instead of the
        folder's own.
        """
        words = ["docker", "build", "--force-rm", "--network", "host"]
        words += ["--label", self.label]
        if dockerfile is None:
            words += ["--build-arg", f"BASE_IMAGE={base or self.base}"]
        else:
            words += ["--file", "-"]
        return subprocess.run(
            [*words, *options, str(folder)],
            input=dockerfile or "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_SECONDS,
        )

    def build(
        self,
        folder: Path,
        target: Optional[str] = None,
        dockerfile: Optional[str] = None,
    ) -> str:
        """Build a stage of a folder's Dockerfile, by default the last; returns its name."""
        name = f"test-{uuid.uuid4().hex}"
        self.built.append(name)
        options = ["--tag", name]
        if dockerfile is None:
            options += ["--build-arg", f"POETRY_PYPI_MIRROR_URL={self.index}"]
        if target is not None:
            options += ["--target", target]
        done = self.docker_build(folder, *options, dockerfile=dockerfile)
        assert done.returncode == 0, done.stdout
        return name

    def remove(self) -> None:
        """Remove the images, those of stages that got no name included."""
        if self.built:
            docker("rmi", "--force", *reversed(self.built), check=False)
        docker("image", "prune", "--force", "--filter", f"label={self.label}")


@pytest.fixture(scope="module")
def builders(
    loaded: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Builder]]:
    """By platform image, a builder without anything built before."""
    made: list[Builder] = []
    with served_index() as index:

        def make(platform: str) -> Builder:
            tag, base = (f"test-{uuid.uuid4().hex}" for _ in range(2))
            docker("tag", loaded[platform], tag)
            builder = Builder(index, base, f"{LABEL}={base}", [tag, base])
            made.append(builder)
            empty = tmp_path_factory.mktemp("empty")
            text = f"FROM {tag}\n"
            done = builder.docker_build(empty, "--tag", base, dockerfile=text)
            assert done.returncode == 0, done.stdout
            return builder

        try:
            yield OnDemand(PLATFORMS, make)
        finally:
            for builder in made:
                builder.remove()


@pytest.fixture(scope="module")
def builder(builders: Mapping[str, Builder]) -> Builder:
    """A builder on the image that the example's lock is for."""
    return builders["platform"]


def copy_example(folder: Path) -> Path:
    """A copy of app-example/ that can be changed, below a folder."""
    source, copy = given("APP_EXAMPLE_FOLDER"), folder / "app-example"
    shutil.copytree(source, copy, copy_function=shutil.copyfile)
    for path in (folder, copy, *filter(Path.is_dir, copy.rglob("*"))):
        path.chmod(0o755)
    return copy


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of app-example/ for one test."""
    return copy_example(tmp_path)


@pytest.fixture(scope="module")
def stages(
    builder: Builder, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """Every stage of app-example/Dockerfile, built: its name to the image's."""
    folder = copy_example(tmp_path_factory.mktemp("example"))
    return {stage: builder.build(folder, stage) for stage in STAGES}


@pytest.fixture(scope="module")
def containers(stages: Mapping[str, str]) -> Iterator[Containers]:
    """Starts containers of the stages."""
    containers = Containers(stages)
    yield containers
    containers.remove()


@pytest.fixture(scope="module")
def production(containers: Containers) -> Container:
    """A container of the last stage."""
    return containers.start("production")


StartImage = Callable[..., Container]


@pytest.fixture
def start_image() -> Iterator[StartImage]:
    """Starts containers of any image in Docker, for one test."""
    images: dict[str, str] = {}
    containers = Containers(images)

    def start(image: str, **options: Any) -> Container:
        images[image] = image
        return containers.start(image, **options)

    yield start
    containers.remove()


def layers(image: str) -> list[str]:
    """The layers of an image in Docker, from below."""
    (inspected,) = json.loads(docker("inspect", image))
    return list(inspected["RootFS"]["Layers"])


def distributions(container: Container) -> dict[str, str]:
    """The distributions that Python finds in a container, each once: name to version."""
    listed = json.loads(container.python(DISTRIBUTIONS))
    found = {name.lower().replace("_", "-"): version for name, version in listed}
    assert len(found) == len(listed), listed
    return found


def locked(lock: Path) -> dict[str, str]:
    """The packages of a poetry.lock: name to version."""
    packages = tomli.loads(lock.read_text())["package"]
    return {package["name"]: package["version"] for package in packages}


def test_the_last_stage_is_production(
    builder: Builder, stages: Mapping[str, str], example: Path
) -> None:
    assert layers(builder.build(example)) == layers(stages["production"])


def test_production_answers(production: Container) -> None:
    response = production.get()
    assert (response.status_code, response.json()) == (200, "Hello World!")
    for number, name in {1: "sausage", 2: "ham", 3: "tofu"}.items():
        assert production.get(f"/items/{number}").json() == name
    assert production.get("/items/4").status_code == 404


def test_production_has_main_dependencies_as_locked(
    production: Container, example: Path
) -> None:
    found = distributions(production)
    assert not DEVELOPMENT_DEPENDENCIES & set(found)
    assert {"fastapi", "gunicorn", "pydantic", "uvicorn"} <= set(found)
    assert found.items() <= locked(example / "poetry.lock").items()


def test_production_runs_as_the_image_s_user(production: Container) -> None:
    identity = "import os; print(os.getuid(), os.getgid())"
    assert production.python(identity) == "1001 0"
    status = production.run("cat", "/proc/1/status")
    assert "Uid:\t1001\t1001\t1001\t1001" in status


def test_production_leaves_no_cache_of_poetry_s(production: Container) -> None:
    assert production.run("ls", "-A", "/home/application").split() in ([], [".config"])


def test_development_has_all_dependencies_and_reloads(
    containers: Containers, example: Path
) -> None:
    container = containers.start(
        "development", options=("--volume", f"{example}/app:/application_root/app")
    )
    found = distributions(container)
    assert DEVELOPMENT_DEPENDENCIES <= set(found)
    assert found.items() <= locked(example / "poetry.lock").items()
    printed = container.run("python", "/application_server/gunicorn_configuration.py")
    told = json.loads(printed)
    assert (told["reload"], told["loglevel"]) == (True, "debug")
    assert container.answer() == '"Hello World!"'
    for text in ("one", "two"):
        write_application(example / "app", text)
        poll(lambda: container.answer() == text, f"the answer {text}", RELOAD_SECONDS)


def test_development_serves_without_a_mount(containers: Containers) -> None:
    assert containers.start("development").answer() == '"Hello World!"'


def test_the_test_stage_tests_and_reports(
    containers: Containers, tmp_path: Path
) -> None:
    container = containers.start("test", served=False)
    assert container.wait() == 0, container.logs()
    report = "/test_coverage_reports/unit_tests_coverage.xml"
    docker("cp", f"{container.identity}:{report}", f"{tmp_path}/coverage.xml")
    coverage = ElementTree.parse(tmp_path / "coverage.xml").getroot()
    assert float(coverage.attrib["line-rate"]) == 1.0


def test_the_test_stage_fails_where_a_test_does(
    builder: Builder, start_image: StartImage, example: Path
) -> None:
    main = example / "app/main.py"
    main.write_text(main.read_text().replace("sausage", "gherkin"))
    container = start_image(builder.build(example, "test"), served=False)
    assert container.wait() == 1
    assert "gherkin" in container.logs()


def test_the_black_stage_checks(containers: Containers) -> None:
    container = containers.start("black", served=False)
    assert container.wait() == 0, container.logs()
    assert "4 files would be left unchanged" in container.logs()


def test_an_edit_of_the_application_installs_nothing(
    builder: Builder, stages: Mapping[str, str], example: Path
) -> None:
    before = layers(stages["production"])
    main = example / "app/main.py"
    main.write_text(main.read_text().replace("Hello World!", "Hello again!"))
    after = layers(builder.build(example))
    assert after[:-1] == before[:-1]
    assert after[-1] != before[-1]


def test_an_edit_of_pyproject_toml_installs(
    builder: Builder, stages: Mapping[str, str], example: Path
) -> None:
    with open(example / "pyproject.toml", "a") as file:
        file.write("# an edit\n")
    install = layers(builder.build(example, "dependencies"))[-1]
    assert install not in layers(stages["dependencies"])


def test_nothing_but_the_sources_is_in_the_build_context(
    builder: Builder, example: Path
) -> None:
    for litter in (
        *(".venv/bin/python", "venv/bin/python", ".git/config", ".gitlab-ci.yml"),
        *(".env", ".env.production", "app/.env", "app/.env.local", "tests/.env"),
        *("app/__pycache__/main.cpython-39.pyc", "app/main.pyc", "app/main.py~"),
        *("tests/__pycache__/x.pyc", ".pytest_cache/x", "tests/.pytest_cache/x"),
        *(".mypy_cache/x", ".ruff_cache/x", ".hypothesis/x", "app/.DS_Store"),
        *(".coverage", ".coverage.host.1", "coverage.xml", "htmlcov/index.html"),
        *("app/.git", "node_modules/x", "dist/x.whl", "__pycache__/x.pyc"),
    ):
        (example / litter).parent.mkdir(parents=True, exist_ok=True)
        (example / litter).write_text("litter\n")
    probe = f"FROM {builder.base}\nCOPY . /context\n"
    image = builder.build(example, dockerfile=probe)
    find = ("--entrypoint", "find", image, "/context", "-not", "-type", "d")
    assert sorted(docker("run", "--rm", *find).split()) == [
        "/context/app/__init__.py",
        "/context/app/main.py",
        "/context/poetry.lock",
        "/context/pyproject.toml",
        "/context/tests/__init__.py",
        "/context/tests/test_main.py",
    ]


def write_project(platform: str, folder: Path) -> None:
    """Write a project with app-example's Dockerfile that a platform image fits."""
    for name in ("pyproject.toml", "poetry.lock"):
        source = Path(__file__).with_name(COMPILED[platform]) / name
        shutil.copyfile(source, folder / name)
    for name in ("Dockerfile", ".dockerignore"):
        shutil.copyfile(given("APP_EXAMPLE_FOLDER") / name, folder / name)
    for name in ("app", "tests"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
    (folder / "app/main.py").write_text(COMPILED_APPLICATION)


@pytest.mark.parametrize("platform", COMPILED)
def test_a_project_with_compiled_wheels_on_each_platform(
    builders: Mapping[str, Builder],
    start_image: StartImage,
    tmp_path: Path,
    platform: str,
) -> None:
    write_project(platform, tmp_path)
    container = start_image(builders[platform].build(tmp_path))
    versions = locked(tmp_path / "poetry.lock")
    answer = json.loads(container.answer() or "")
    assert answer == {"pydantic": versions["pydantic"], "loop": "uvloop"}
    found = distributions(container)
    assert {"gunicorn", "pydantic", "uvicorn", "uvloop"} <= set(found)
    assert found.items() <= versions.items()
    left = container.run("ls", "-A", "/home/application").split()
    assert set(left) <= {".config", ".gunicorn"}


@pytest.mark.parametrize(
    "platform, refusal",
    [
        ("platform", "CERTIFICATE_VERIFY_FAILED"),
        ("platform-python313", "All attempts to connect to 127.0.0.1"),
    ],
)
def test_a_company_s_certificate_comes_with_the_base_image(
    builders: Mapping[str, Builder], tmp_path: Path, platform: str, refusal: str
) -> None:
    builder, project = builders[platform], tmp_path / "project"
    project.mkdir()
    write_project(platform, project)
    python = ("--entrypoint", "/opt/poetry/venv/bin/python", builder.base)
    pem = tmp_path / "key.pem"
    pem.write_text(docker("run", "--rm", *python, "-c", CERTIFICATE))
    folder = tmp_path / "company"
    folder.mkdir()
    certificate, separator, _ = pem.read_text().partition("-----END CERTIFICATE-----\n")
    (folder / "company.pem").write_text(certificate + separator)
    company = builder.build(
        folder,
        dockerfile=f"FROM {builder.base}\n"
        "COPY company.pem /etc/ssl/company.pem\n"
        "ENV SSL_CERT_FILE=/etc/ssl/company.pem REQUESTS_CA_BUNDLE=/etc/ssl/company.pem\n",
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with served_index(context) as index:
        words = ["--target", "dependencies"]
        words += ["--build-arg", f"POETRY_PYPI_MIRROR_URL={index}"]
        done = builder.docker_build(project, *words)
        assert done.returncode != 0
        assert refusal in done.stdout
        done = builder.docker_build(project, *words, base=company)
        assert done.returncode == 0, done.stdout
