# Poetry for this machine: the release that the platform image has, on a Python of its own.
{ pkgs, poetryEnvironment }:

# python  the Python that a project asks for; Poetry itself may run on another one
{ python }:

pkgs.writeShellScriptBin "poetry" ''
  unset PYTHONPATH
  export PATH=${python}/bin:$PATH
  # Virtual environments are of the first Python on PATH, not of Poetry's own.
  export POETRY_VIRTUALENVS_PREFER_ACTIVE_PYTHON=''${POETRY_VIRTUALENVS_PREFER_ACTIVE_PYTHON:-true}
  exec ${poetryEnvironment}/bin/poetry "$@"
''
