"""mkApplication's options, seen in the image and in its container."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import urllib.request
import uuid
from pathlib import Path
from typing import Any

from image.archive import Image
from image.conftest import StartContainer, poll

from .conftest import Project, run

ARGUMENTS = """{
  projectDir = ./.;
  applicationModule = "web.server:application";
  sources = [ "web" "settings.toml" ];
  files."/etc/application/motd" = ./motd;
  packages = pkgs: [ pkgs.shellcheck ];
  environmentVariables = { PORT = "8080"; WORKERS = "2"; GREETING = "good day"; };
  imageName = "registry.test:5000/team/%s";
  imageTag = "v1";
  user = { id = 2345; group = 2345; name = "web"; };
  labels."org.opencontainers.image.vendor" = "we";
}
"""
SERVER = """\
import os
import names_module


async def application(scope, receive, send):
    if scope["type"] == "http":
        start = {"type": "http.response.start", "status": 200, "headers": []}
        await send(start)
        body = f"{names_module.NAME}, {os.environ['GREETING']}".encode()
        await send({"type": "http.response.body", "body": body})
"""


def test_every_option_is_seen(project: Project, start_archive: StartContainer) -> None:
    shutil.rmtree(project.folder / "app")
    (project.folder / "web").mkdir()
    server = SERVER.replace("names_module", "web.names")
    (project.folder / "web/server.py").write_text(server)
    (project.folder / "web/names.py").write_text("NAME = 'Web'\n")
    (project.folder / "settings.toml").write_text("debug = false\n")
    (project.folder / "motd").write_text("welcome\n")
    name = f"x{uuid.uuid4().hex}"
    project.write_flake(ARGUMENTS % name)
    archive = project.build()
    image = Image(archive)
    assert image.manifest["RepoTags"] == [f"registry.test:5000/team/{name}:v1"]
    config: dict[str, Any] = image.configuration["config"]
    assert config["User"] == "2345:2345"
    assert config["ExposedPorts"] == {"8080/tcp": {}}
    assert config["Labels"]["org.opencontainers.image.vendor"] == "we"
    options = ("--publish", "127.0.0.1::8080")
    container = start_archive(archive, options=options, served=False)

    def answer() -> str:
        ports = run(Path.cwd(), "docker", "port", container.identity, "8080/tcp")
        url = f"http://{ports.stdout.split()[0]}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return str(response.read().decode())
        except OSError:
            assert container.state["Running"], container.logs()
            return ""

    assert poll(answer, "an answer") == "Web, good day"
    poll(lambda: len(container.worker_pids()) == 2, "two workers")
    assert container.run("cat", "/etc/application/motd") == "welcome\n"
    assert container.run("cat", "settings.toml") == "debug = false\n"
    assert "version:" in container.run("shellcheck", "--version")
    assert container.run("id").startswith("uid=2345(web) gid=2345(web)")
    container.run("sh", "-c", "touch /application_root/x ~/x /tmp/x")


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nix_run_serves_on_loopback(project: Project) -> None:
    port = free_port()
    process = subprocess.Popen(
        [str(project.base / "mirror"), "nix", "run"],
        cwd=project.folder,
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:

        def answer() -> str:
            try:
                url = f"http://127.0.0.1:{port}"
                with urllib.request.urlopen(url, timeout=10) as response:
                    return str(response.read().decode())
            except OSError:
                assert process.poll() is None, process.communicate()[0]
                return ""

        assert poll(answer, "an answer") == '"Hello World!"'
    finally:
        process.send_signal(signal.SIGTERM)
        printed, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    (report,) = [line for line in printed.splitlines() if line[:1] == "{"]
    assert json.loads(report)["bind"] == f"127.0.0.1:{port}"


def test_the_development_shell(project: Project) -> None:
    (project.folder / "app/main.py").touch()
    port = free_port()
    script = f"""
        set -eu
        black --check app tests 2>/dev/null
        python -m pytest -q -p no:cacheprovider
        poetry --version
        PORT={port} serve > serve.log 2>&1 &
        server=$!
        trap 'kill "$server"' EXIT
        python {Path(__file__).with_name("development_session.py")} {port}
    """
    done = project.mirror("develop", "--command", "bash", "-c", script)
    printed = done.stdout.splitlines()
    assert "2 passed" in done.stdout
    assert any(line.startswith("Poetry (version ") for line in printed)
    assert printed[-2:] == ['"Hello World!"', '"Hello edit!"']
    assert '"reload": true' in (project.folder / "serve.log").read_text()


def test_checks_are_the_projects_own(project: Project) -> None:
    path = project.build(".#checks.x86_64-linux.tests")
    assert {"junit.xml", "coverage.xml", "coverage", "log"} <= {
        entry.name for entry in path.iterdir()
    }
    project.mirror("flake", "check")
    main = project.folder / "app/main.py"
    main.write_text(main.read_text().replace("World", "wrong"))
    done = project.mirror("flake", "check", check=False)
    assert done.returncode != 0
    assert "test_root_greets" in done.stderr
