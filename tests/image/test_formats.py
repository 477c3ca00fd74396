"""The formats of an image: one configuration and the same layers in all of them."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import selectors
import socket
import subprocess
import tarfile
import threading
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from .archive import Image
from .conftest import DEADLINE, LOAD_SECONDS, StartContainer, docker, poll

EDIT_BUDGET = 20_000

DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"

# A stream of two layers, the lower one of which no daemon has.
STREAM = """\
#!{python}
import sys
without = sys.argv[2::2]
import tarfile
with tarfile.open({archive!r}) as source:
    with tarfile.open(fileobj=sys.stdout.buffer, mode='w|') as target:
        for member in source:
            if member.name.partition('/')[0] not in without:
                target.addfile(member, source.extractfile(member))
"""


def program(variable: str, name: str) -> str:
    """The path of a program that the environment names."""
    if variable not in os.environ:
        pytest.fail(f"{variable} is not set: ./mirror nix run .#docker-tests")
    return f"{os.environ[variable]}/bin/{name}"


def run(*words: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run a program; AssertionError with what it prints where it fails."""
    done = subprocess.run(
        words,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
        timeout=LOAD_SECONDS,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done


def digest(content: bytes) -> str:
    """Its digest, as OCI's descriptors have it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def identity(image: Image) -> str:
    """The configuration's digest."""
    return f"sha256:{image.manifest['Config'].partition('.')[0]}"


@pytest.fixture(scope="session")
def layout() -> Path:
    """The OCI layout of the example's image."""
    return Path(program("APP_EXAMPLE_OCI", "")).parent


def blob(layout: Path, descriptor: Mapping[str, Any]) -> bytes:
    """A blob of a layout, of the size and the digest that are said of it."""
    path = layout / "blobs" / str(descriptor["digest"]).replace(":", "/")
    content = path.read_bytes()
    assert (digest(content), len(content)) == (descriptor["digest"], descriptor["size"])
    return content


def manifest_of(layout: Path) -> bytes:
    """The manifest of the layout's one image."""
    (entry,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    return blob(layout, entry)


def test_the_stream_is_the_archive(archives: Mapping[str, Image]) -> None:
    taken = hashlib.sha256()
    with subprocess.Popen(
        [program("APP_EXAMPLE_STREAM", "stream")], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for data in iter(lambda: process.stdout.read(1 << 20), b""):  # type: ignore
            taken.update(data)
    assert process.returncode == 0
    expected = hashlib.sha256(archives["app-example"].path.read_bytes())
    assert taken.digest() == expected.digest()


def test_the_layout_has_the_archive_s_bytes(
    archives: Mapping[str, Image], layout: Path
) -> None:
    image = archives["app-example"]
    manifest = json.loads(manifest_of(layout))
    assert manifest["config"]["digest"] == identity(image)
    with tarfile.open(image.path) as archive:
        content = archive.extractfile(image.manifest["Config"])
        assert content is not None
        assert blob(layout, manifest["config"]) == content.read()
    layers = [gzip.decompress(blob(layout, layer)) for layer in manifest["layers"]]
    assert list(map(digest, layers)) == image.layers


def test_skopeo_reads_the_layout(archives: Mapping[str, Image], layout: Path) -> None:
    (tag,) = archives["app-example"].manifest["RepoTags"]
    reference = f"oci:{layout}:{tag.rpartition(':')[2]}"
    skopeo = program("SKOPEO", "skopeo")
    inspected = json.loads(run(skopeo, "inspect", reference).stdout)
    assert inspected["Digest"] == digest(manifest_of(layout))
    labels = archives["app-example"].configuration["config"]["Labels"]
    assert inspected["Labels"] == labels
    raw = run(skopeo, "inspect", "--config", "--raw", reference).stdout
    assert digest(raw.encode()) == identity(archives["app-example"])


def test_a_stream_can_be_loaded(archives: Mapping[str, Image]) -> None:
    with subprocess.Popen(
        [program("APP_EXAMPLE_STREAM", "stream")], stdout=subprocess.PIPE
    ) as stream:
        words = ["docker", "load", "--quiet"]
        subprocess.run(words, stdin=stream.stdout, check=True, timeout=LOAD_SECONDS)
    image = archives["app-example"]
    (tag,) = image.manifest["RepoTags"]
    inspected = json.loads(docker("image", "inspect", tag))[0]
    assert inspected["Id"] == identity(image)
    assert inspected["RootFS"]["Layers"] == image.layers


@dataclass
class Proxy:
    """Stands before the daemon's socket and counts what it is sent."""

    path: Path
    sent: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    opened: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def host(self) -> str:
        """What DOCKER_HOST is to be."""
        return f"unix://{self.path}"

    def serve(self, listener: socket.socket, daemon: str) -> None:
        """Pass connections on until the proxy is ended."""
        with selectors.DefaultSelector() as selector, self.opened:
            selector.register(listener, selectors.EVENT_READ)
            while not self.ended.is_set():
                for key, _ in selector.select(0.1):
                    self.step(selector, key, daemon)

    def step(
        self, selector: selectors.BaseSelector, key: selectors.SelectorKey, daemon: str
    ) -> None:
        """Accept a connection, or pass on what one of them brings."""
        source = key.fileobj
        assert isinstance(source, socket.socket)
        if key.data is None:
            client = self.opened.enter_context(source.accept()[0])
            server = self.opened.enter_context(socket.socket(socket.AF_UNIX))
            server.connect(daemon)
            selector.register(client, selectors.EVENT_READ, (server, True))
            selector.register(server, selectors.EVENT_READ, (client, False))
            return
        target, from_client = key.data
        try:
            data = source.recv(1 << 16)
        except ConnectionError:
            data = b""
        if not data:
            selector.unregister(source)
            with contextlib.suppress(OSError):
                target.shutdown(socket.SHUT_WR)
            return
        if from_client:
            self.sent += len(data)
        target.sendall(data)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    host = docker("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    daemon = os.environ.get("DOCKER_HOST", host.strip()).removeprefix("unix://")
    if not daemon.startswith("/"):
        pytest.skip("the daemon listens on no socket of this machine")
    proxy = Proxy(tmp_path / "docker.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(proxy.path))
        listener.listen()
        thread = threading.Thread(target=proxy.serve, args=(listener, daemon))
        thread.start()
        yield proxy
        proxy.ended.set()
        thread.join(DEADLINE)


def test_an_edit_sends_little(
    archives: Mapping[str, Image],
    loaded: Mapping[str, str],
    start: StartContainer,
    proxy: Proxy,
) -> None:
    image = archives["app-example-edited"]
    docker("image", "rm", "--force", identity(image), check=False)
    run(program("APP_EXAMPLE_LOAD", "load"))
    load = program("APP_EXAMPLE_EDITED_LOAD", "load")
    told = run(load, DOCKER_HOST=proxy.host).stderr
    assert "sent 1 layers" in told
    assert 0 < proxy.sent <= EDIT_BUDGET
    (tag,) = image.manifest["RepoTags"]
    inspected = json.loads(docker("image", "inspect", tag))[0]
    assert inspected["Id"] == identity(image) == loaded["app-example-edited"]
    assert inspected["RootFS"]["Layers"] == image.layers
    container = start("app-example-edited")
    assert container.run("cat", "/application_root/app/edited.txt") == "an edit\n"


@pytest.fixture
def fresh_image(tmp_path: Path) -> Iterator[list[str]]:
    """The options that have `load` load an image that is in no daemon."""
    layers = []
    for name in (uuid.uuid4().hex, "upper"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as layer:
            member = tarfile.TarInfo(name)
            member.size = 1 << 20
            layer.addfile(member, io.BytesIO(bytes(1 << 20)))
        layers.append(buffer.getvalue())
    diff_ids = list(map(digest, layers))
    configuration = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    name = f"test-{uuid.uuid4().hex}:1"
    names = [f"{each.partition(':')[2]}/layer.tar" for each in diff_ids]
    manifest = [{"Config": "c.json", "RepoTags": [name], "Layers": names}]
    files = {
        **dict(zip(names, layers)),
        "c.json": configuration,
        "manifest.json": json.dumps(manifest).encode(),
    }
    with tarfile.open(tmp_path / "image.tar", "w") as archive:
        for file, content in files.items():
            member = tarfile.TarInfo(file)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    stream = tmp_path / "stream"
    python = "/usr/bin/env python3"
    stream.write_text(STREAM.format(python=python, archive=str(tmp_path / "image.tar")))
    stream.chmod(0o755)
    description = tmp_path / "description.json"
    digests = [{"digest": each.partition(":")[2]} for each in diff_ids]
    description.write_text(json.dumps({"layers": digests}))
    words = ["--name", name, "--stream", str(stream)]
    yield [*words, "--description", str(description)]
    docker("image", "rm", "--force", name, f"{name}-child", check=False)


def test_what_the_daemon_lost_is_sent_again(
    fresh_image: list[str], proxy: Proxy
) -> None:
    load = program("APP_EXAMPLE_LOAD", "load")
    name = fresh_image[1]

    def sent() -> int:
        proxy.sent = 0
        told = run(load, *fresh_image, DOCKER_HOST=proxy.host).stderr
        found = re.search(r"sent (\d) layers", told)
        assert found is not None, told
        assert (proxy.sent > 1 << 20) == (found[1] != "0")
        docker("image", "inspect", name)
        return int(found[1])

    assert [sent(), sent()] == [2, 0]
    docker("image", "rm", name)
    assert [sent(), sent()] == [2, 0]
    # Layers stay for as long as any image has them.
    docker("image", "tag", name, f"{name}-child")
    docker("image", "rm", name)
    assert sent() == 0


@dataclass
class Registry:
    """A registry on loopback, with the log of what it was asked."""

    address: str
    log: Path

    def uploads(self) -> int:
        """How many blobs were uploaded since this was asked."""
        text = self.log.read_text()
        self.log.write_text("")
        return len(re.findall(r'"PUT /v2/\S+/blobs/uploads/', text))

    def get(self, path: str) -> requests.Response:
        """Ask its API (OCI Distribution Specification)."""
        answer = requests.get(
            f"http://{self.address}/v2/{path}",
            headers={"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"},
            timeout=DEADLINE,
        )
        answer.raise_for_status()
        return answer


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    configuration = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(configuration))
    log = tmp_path / "log"
    words = [program("REGISTRY", "registry"), "serve", str(tmp_path / "registry.yml")]
    with open(log, "a") as output:
        process = subprocess.Popen(words, stdout=output, stderr=output)
    try:

        def answers() -> bool:
            assert process.poll() is None, log.read_text()
            try:
                answer = requests.get(f"http://{address}/v2/", timeout=DEADLINE)
                return bool(answer.status_code == 200)
            except requests.ConnectionError:
                return False

        poll(answers, "an answer of the registry")
        yield Registry(address, log)
    finally:
        process.terminate()
        process.wait(DEADLINE)


def push(variable: str, registry: Registry, name: str, home: Path) -> None:
    """Push an image; home: a folder where nothing is known of the registry."""
    reference = f"docker://{registry.address}/{name}"
    command = program(variable, "push")
    run(command, reference, "--dest-tls-verify=false", HOME=str(home), XDG_DATA_HOME="")


def test_a_registry_has_the_same_image(
    archives: Mapping[str, Image], layout: Path, registry: Registry, tmp_path: Path
) -> None:
    push("APP_EXAMPLE_PUSH", registry, "example:1", tmp_path / "home")
    answer = registry.get("example/manifests/1")
    assert answer.content == manifest_of(layout)
    assert answer.headers["Docker-Content-Digest"] == digest(manifest_of(layout))
    image = archives["app-example"]
    manifest = answer.json()
    assert manifest["config"]["digest"] == identity(image)
    configuration = registry.get(f"example/blobs/{identity(image)}").content
    assert digest(configuration) == identity(image)
    assert json.loads(configuration)["rootfs"]["diff_ids"] == image.layers
    name = f"{registry.address}/example:1"
    try:
        docker("pull", "--quiet", name)
        inspected = json.loads(docker("image", "inspect", name))[0]
        assert inspected["Id"] == identity(image)
        assert inspected["RootFS"]["Layers"] == image.layers
    finally:
        docker("image", "rm", name, check=False)


def test_a_push_sends_what_is_missing(
    archives: Mapping[str, Image], registry: Registry, tmp_path: Path
) -> None:
    push("APP_EXAMPLE_PUSH", registry, "example:1", tmp_path / "home")
    layers = len(archives["app-example"].layers)
    assert registry.uploads() == layers + 1
    push("APP_EXAMPLE_PUSH", registry, "example:2", tmp_path / "another-home")
    assert registry.uploads() == 0
    push("APP_EXAMPLE_EDITED_PUSH", registry, "example:3", tmp_path / "third-home")
    assert registry.uploads() == 2


def test_a_push_to_nowhere_says_what_is_missing() -> None:
    command = program("APP_EXAMPLE_PUSH", "push")
    done = subprocess.run([command], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("push: where to?") and done.stderr.count("\n") == 1
