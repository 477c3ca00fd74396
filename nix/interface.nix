# The names that nix/*.nix use of a package source, and all that they use. Both sources offer them
# with the same arguments; the check `interface` holds nix/*.nix to this list.
{
  # of `pkgs`
  packages = [
    "busybox"
    "bzip2"
    "cacert"
    "cyrus_sasl"
    "docker"
    "docker-distribution"
    "expat"
    "fetchPypi"
    "gcc"
    "glibc"
    "gnumake"
    "libffi"
    "libuuid"
    "libxml2"
    "libxslt"
    "libyaml"
    "mkShell"
    "ncurses"
    "openldap"
    "openssl"
    "pkg-config"
    "postgresql"
    "python311"
    "python313"
    "python39"
    "readline"
    "runCommand"
    "shellcheck"
    "skopeo"
    "sqlite"
    "system"
    "tzdata"
    "writeShellScriptBin"
    "writeText"
    "xz"
    "zlib"
  ];

  # of `pkgs.dockerTools` and `pkgs.vmTools`
  dockerTools = [ "buildLayeredImage" "streamLayeredImage" ];
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
    "getDev"
    "hasPrefix"
    "hasSuffix"
    "importTOML"
    "makeBinPath"
    "makeLibraryPath"
    "makeSearchPathOutput"
    "mapAttrsToList"
    "optional"
    "optionalAttrs"
    "optionalString"
    "optionals"
    "toLower"
    "unique"
  ];
}
