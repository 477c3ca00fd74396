# Poetry for this machine: the environment that the platform image has, without its other programs.
{ pkgs, poetryEnvironment }:

# python  the Python that a project asks for; Poetry itself may run on another one
{ python }:

pkgs.writeShellScriptBin "poetry" ''
  unset PYTHONPATH
  export PATH=${python}/bin:$PATH
  exec ${poetryEnvironment}/bin/poetry "$@"
''
