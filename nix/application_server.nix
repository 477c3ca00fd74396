# The files of /application_server, byte-compiled for a Python; its bin/gunicorn starts the server.
{ pkgs }:

{ python }:

pkgs.runCommand "application-server" { PYTHONHASHSEED = "0"; } ''
  mkdir -p "$out/bin"
  cp ${./application_server}/*.py "$out/"
  mv "$out/start_gunicorn.py" "$out/bin/gunicorn"
  chmod 755 "$out/bin/gunicorn"
  ${python}/bin/${python.executable} -m compileall -q --invalidation-mode unchecked-hash "$out"
''
