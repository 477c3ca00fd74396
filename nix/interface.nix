# The names that nix/*.nix use of a package source, and all that they use. Both sources offer them
# with the same arguments; the check `interface` holds nix/*.nix to this list.
{
  # of `pkgs`
  packages = [
    "busybox"
    "cacert"
    "docker"
    "mkShell"
    "python311"
    "python313"
    "python39"
    "runCommand"
    "shellcheck"
    "system"
    "tzdata"
    "writeShellScriptBin"
    "writeText"
  ];

  # of `pkgs.dockerTools` and `pkgs.vmTools`
  dockerTools = [ "buildLayeredImage" ];
  vmTools = [ "runInLinuxVM" ];

  # of `poetry2nix`
  poetry2nix = [ "mkPoetryEnv" "mkPoetryPackages" ];

  # of `pkgs.lib`
  lib = [
    "concatMapStringsSep"
    "concatStringsSep"
    "escapeShellArg"
    "escapeShellArgs"
    "genAttrs"
    "hasPrefix"
    "hasSuffix"
    "importTOML"
    "makeBinPath"
    "mapAttrsToList"
    "optional"
    "optionalAttrs"
    "optionalString"
    "optionals"
    "toLower"
    "unique"
  ];
}
