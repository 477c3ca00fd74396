# The files of /application_server, byte-compiled for a Python.
{ pkgs }:

{ python }:

pkgs.runCommand "application-server" { PYTHONHASHSEED = "0"; } ''
  mkdir "$out"
  cp ${./application_server}/*.py "$out/"
  ${python}/bin/${python.executable} -m compileall -q --invalidation-mode unchecked-hash "$out"
''
