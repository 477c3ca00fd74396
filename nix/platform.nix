# The platform image: a server and a virtual environment for any ASGI application, with Poetry.
{ pkgs, environment, virtualEnvironment, compiler, buildImage }:

# python             the Python that all of it runs on
# projectDir         the project that locks the server
# poetryEnvironment  Poetry
# full               whether it has compilers and headers, for dependencies that come as source
{ python, projectDir, poetryEnvironment, full ? false }:

let
  inherit (pkgs) lib;
  location = "/application_root/.venv";
  project = (lib.importTOML (projectDir + "/pyproject.toml")).tool.poetry;

  serverEnvironment = environment { inherit projectDir python; };
  server = virtualEnvironment {
    inherit python location;
    environment = serverEnvironment;
  };
  building = compiler { inherit python; };
in
buildImage {
  inherit (project) name;
  tag = "python${python.version}${lib.optionalString full "-full"}";
  inherit python;
  path = [ "/opt/poetry/bin" ] ++ lib.optionals full building.path;
  packages = [ serverEnvironment poetryEnvironment ] ++ lib.optionals full building.packages;
  entrypoints = true;
  environmentVariables = {
    POETRY_HOME = "/opt/poetry";
    POETRY_VIRTUALENVS_IN_PROJECT = "true";
  } // lib.optionalAttrs full building.environmentVariables;
  labels = {
    "org.opencontainers.image.description" = project.description
      + lib.optionalString full ", with compilers and headers for dependencies that come as source";
    "uvicorn-gunicorn-poetry.poetry-lock.sha256" = builtins.hashFile "sha256" (projectDir + "/poetry.lock");
  };
  rootCommands = ''
    cp -r ${server} .${location}
    chmod -R u+w .${location}
    mkdir -p opt/poetry/bin
    ln -s ${poetryEnvironment} opt/poetry/venv
    cp ${./poetry/poetry.sh} opt/poetry/bin/poetry
    chmod 755 opt/poetry/bin/poetry
  '';
}
