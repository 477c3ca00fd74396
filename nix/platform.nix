# The platform image: a server and a virtual environment for any ASGI application, with Poetry.
{ pkgs, environment, virtualEnvironment, buildImage, poetryEnvironment }:

let
  inherit (pkgs) lib;
  python = pkgs.python39;
  location = "/application_root/.venv";
  project = (lib.importTOML ./platform/pyproject.toml).tool.poetry;

  serverEnvironment = environment { projectDir = ./platform; inherit python; };
  server = virtualEnvironment {
    inherit python location;
    environment = serverEnvironment;
  };
in
buildImage {
  inherit (project) name;
  tag = "python${python.version}";
  inherit python;
  path = [ "/opt/poetry/bin" ];
  packages = [ serverEnvironment poetryEnvironment ];
  entrypoints = true;
  environmentVariables = {
    POETRY_HOME = "/opt/poetry";
    POETRY_VIRTUALENVS_IN_PROJECT = "true";
  };
  labels = {
    "org.opencontainers.image.description" = project.description;
    "uvicorn-gunicorn-poetry.poetry-lock.sha256" = builtins.hashFile "sha256" ./platform/poetry.lock;
  };
  rootCommands = ''
    cp -r ${server} .${location}
    chmod -R u+w .${location}
    mkdir -p opt/poetry/bin
    ln -s ${poetryEnvironment} opt/poetry/venv
    ln -s ../venv/bin/poetry opt/poetry/bin/poetry
  '';
}
