# A program that serves an application on this machine as its image does, but on loopback.
{ pkgs, applicationServer, applicationModule, environmentVariables }:

let
  inherit (pkgs) lib;

  # What the caller's environment does not set.
  default = name: value: ''export ${name}="''${${name}-}"; ${name}=''${${name}:-${lib.escapeShellArg value}}'';
in
# folder     the working folder; "." is where the program is started
# variables  environment variables beside the image's
{ name, environment, folder, variables ? { } }:

pkgs.writeShellScriptBin name ''
  ${lib.concatStringsSep "\n" (lib.mapAttrsToList default ({
    HOST = "127.0.0.1";
    PORT = "8000";
    APP_MODULE = applicationModule;
  } // variables // environmentVariables))}
  cd ${lib.escapeShellArg folder}
  export PYTHONPATH=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
  exec ${environment}/bin/gunicorn -c ${applicationServer}/gunicorn_configuration.py "$@"
''
