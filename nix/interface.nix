# The names that nix/*.nix use of a package source, and all that they use. Both sources offer them
# with the same arguments; the check `interface` holds nix/*.nix to this list.
{
  # of `pkgs`
  packages = [
    "busybox"
    "cacert"
    "docker"
    "glibc"
    "python39"
    "runCommand"
    "shellcheck"
    "tzdata"
    "writeShellScriptBin"
    "writeText"
  ];

  # of `pkgs.dockerTools` and `pkgs.vmTools`
  dockerTools = [ "buildLayeredImage" ];
  vmTools = [ "runInLinuxVM" ];

  # of `poetry2nix`
  poetry2nix = [ "mkPoetryEnv" ];

  # of `pkgs.lib`
  lib = [
    "concatStringsSep"
    "escapeShellArg"
    "hasSuffix"
    "importTOML"
    "makeBinPath"
    "mapAttrsToList"
    "optionalAttrs"
    "optionalString"
  ];
}
