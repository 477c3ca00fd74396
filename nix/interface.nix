# The names that nix/*.nix use of a package source, and all that they use. Both sources offer them
# with the same arguments; a check holds nix/*.nix to this list.
{
  # of `pkgs`
  packages = [
    "lib"
    "system"
    "runCommand"
    "writeText"
    "writeShellScriptBin"
    "python39"
    "glibc"
    "busybox"
    "cacert"
    "tzdata"
    "shellcheck"
    "dockerTools.buildLayeredImage"
  ];

  # of `poetry2nix`
  poetry2nix = [ "mkPoetryEnv" ];

  # of `pkgs.lib`
  lib = [
    "assertMsg"
    "concatStringsSep"
    "escapeShellArg"
    "filterAttrs"
    "hasSuffix"
    "importTOML"
    "makeBinPath"
    "mapAttrsToList"
    "optionalAttrs"
    "optionalString"
  ];
}
