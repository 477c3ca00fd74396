# Stands in for nixpkgs where it cannot be fetched: `import nixpkgs { … }` with the names of
# interface.nix alone. Functions take the arguments that nixpkgs' take (INTERFACE.md says where they
# are defined), so that a wrong or missing one fails; derivations can be looked at, not built.
{ system ? builtins.currentSystem, overlays ? [ ], config ? { } }:

let
  interface = import ../../../interface.nix;
  all = import ../../../mirror/lib.nix;
  lib = builtins.listToAttrs (map (name: { inherit name; value = all.${name}; }) interface.lib);

  fail = message: throw "stand-in for nixpkgs: ${message}";

  package = name: version: passthru: derivation
    {
      inherit system;
      name = "${name}-${version}";
      builder = "/stand-in";
    } // { pname = name; inherit version; } // passthru;

  # stdenv.mkDerivation's own attributes, which an environment must not have.
  reserved = [ "args" "buildCommand" "builder" "name" "outputs" "phases" "stdenv" "system" ];

  build = name: environment: attributes:
    let wrong = builtins.filter (attribute: environment ? ${attribute}) reserved; in
    if !(builtins.isString name && builtins.match "[0-9A-Za-z+._?=-]+" name != null) then
      fail "no name of a derivation: ${builtins.toJSON name}"
    else if wrong != [ ] then
      fail "${name} has the attribute ${builtins.head wrong}, which is stdenv's"
    else
      derivation (removeAttrs environment [ "meta" "passthru" ] // attributes // {
        inherit name system;
        builder = "/stand-in";
        args = [ "-e" ];
      }) // environment.passthru or { };

  # A library with headers in an output of their own.
  library = name: version: package name version { dev = package "${name}-dev" version { }; };

  text = kind: value: if builtins.isString value then value else fail "${kind} is no text: ${builtins.typeOf value}";

  libc = package "glibc" "2.40" { };

  # The Pythons are overridable; what an override gives keeps its arguments, and the attributes that
  # overrideAttrs changed, for the next one.
  pythonOf = changeAttributes: pythonAttr: { sourceVersion, hash, self ? null, packageOverrides ? null }@arguments:
    let
      inherit (sourceVersion) major minor patch suffix;
      pythonVersion = "${major}.${minor}";
      executable = "python${pythonVersion}";
      attributes = { configureFlags = [ "--enable-shared" "--with-system-libmpdec" ]; };
      python = package "python3" "${pythonVersion}.${patch}${suffix}" {
        inherit (attributes // changeAttributes attributes) configureFlags;
        inherit sourceVersion pythonAttr pythonVersion executable;
        implementation = "cpython";
        sitePackages = "lib/${executable}/site-packages";
        interpreter = "${python}/bin/${executable}";
        stdenv.cc = { inherit libc; };
        override = { sourceVersion ? null, hash ? null, self ? null, packageOverrides ? null }@changes:
          pythonOf changeAttributes pythonAttr (arguments // changes);
        overrideAttrs = function: pythonOf function pythonAttr arguments;
      };
    in
    if builtins.match "sha256-[A-Za-z0-9+/]{43}=" hash == null then fail "${executable}: ${hash} is no hash" else python;

  layeredImage = prefix:
    { name
    , tag ? null
    , fromImage ? null
    , contents ? [ ]
    , config ? { }
    , architecture ? "amd64"
    , created ? "1970-01-01T00:00:01Z"
    , uid ? 0
    , gid ? 0
    , uname ? "root"
    , gname ? "root"
    , maxLayers ? 100
    , extraCommands ? ""
    , fakeRootCommands ? ""
    , enableFakechroot ? false
    , includeStorePaths ? true
    , passthru ? { }
    }:
    if maxLayers <= 1 then fail "dockerTools needs more than one layer for ${name}"
    else
      build "${prefix}${baseNameOf name}.tar"
        {
          inherit fromImage contents extraCommands fakeRootCommands maxLayers includeStorePaths tag;
          configuration = builtins.toJSON { inherit config architecture; };
          passthru = { imageName = lib.toLower name; imageTag = tag; } // passthru;
        }
        { };

  packages = final: {
    inherit lib;
    stdenv.hostPlatform = { inherit system; };

    busybox = package "busybox" "1.36.1" { };
    cacert = package "nss-cacert" "3.108" { };
    coreutils = package "coreutils" "9.5" { };
    docker = package "docker" "27.5.1" { };
    gcc = package "gcc-wrapper" "13.3.0" { };
    gnumake = package "gnumake" "4.4.1" { };
    pkg-config = package "pkg-config-wrapper" "0.29.2" { };
    docker-distribution = package "distribution" "2.8.3" { };
    skopeo = package "skopeo" "1.17.0" { };
    shellcheck = package "shellcheck" "0.10.0" { };
    tzdata = package "tzdata" "2025b" { };

    bzip2 = library "bzip2" "1.0.8";
    cyrus_sasl = library "cyrus-sasl" "2.1.28";
    expat = library "expat" "2.7.1";
    libffi = library "libffi" "3.4.6";
    libuuid = library "util-linux-minimal" "2.39.4";
    libxml2 = library "libxml2" "2.13.8";
    libxslt = library "libxslt" "1.1.42";
    libyaml = library "libyaml" "0.2.5";
    ncurses = library "ncurses" "6.4.20221231";
    openldap = library "openldap" "2.6.9";
    openssl = library "openssl" "3.3.3";
    postgresql = library "postgresql" "16.8";
    readline = library "readline" "8.2p13";
    sqlite = library "sqlite" "3.46.1";
    xz = library "xz" "5.6.3";
    zlib = library "zlib" "1.3.1";

    python39 = pythonOf (attributes: { }) "python39" {
      sourceVersion = { major = "3"; minor = "9"; patch = "22"; suffix = ""; };
      hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    };
    python311 = pythonOf (attributes: { }) "python311" {
      sourceVersion = { major = "3"; minor = "11"; patch = "12"; suffix = ""; };
      hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    };
    python313 = pythonOf (attributes: { }) "python313" {
      sourceVersion = { major = "3"; minor = "13"; patch = "3"; suffix = ""; };
      hash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    };

    runCommand = name: environment: script:
      build name environment { buildCommand = text "the script of ${name}" script; };

    writeText = name: content: build name { text = text "the content of ${name}" content; } { };

    writeShellScriptBin = name: content: build name { text = text "the script of ${name}" content; } { };

    mkShell = { name ? "nix-shell", packages ? [ ], inputsFrom ? [ ], shellHook ? "" }:
      build name { inherit packages inputsFrom shellHook; } { };

    fetchPypi =
      { pname
      , version
      , format ? "setuptools"
      , sha256 ? ""
      , hash ? ""
      , extension ? "tar.gz"
      , python ? "py2.py3"
      , abi ? "none"
      , platform ? "any"
      , dist ? python
      }:
      if sha256 == "" && hash == "" then fail "fetchPypi: ${pname} has no hash"
      else package pname version { };

    dockerTools.streamLayeredImage = layeredImage "stream-";
    dockerTools.buildLayeredImage = { compressor ? "gz", ... }@arguments:
      if builtins.elem compressor [ "none" "gz" "zstd" ] then
        layeredImage "" (removeAttrs arguments [ "compressor" ])
      else fail "dockerTools.buildLayeredImage knows no compressor ${compressor}";

    vmTools.runInLinuxVM = machine: lib.overrideDerivation machine
      ({ memSize ? 512, QEMU_OPTS ? "", args, builder, ... }: {
        requiredSystemFeatures = [ "kvm" ];
        builder = "/stand-in";
        args = [ "-e" ];
        origArgs = args;
        origBuilder = builder;
        QEMU_OPTS = "${QEMU_OPTS} -m ${toString memSize}";
        passAsFile = [ ];
      });
  };

  extend = previous: overlay: final: let before = previous final; in before // overlay final before;
  set = builtins.foldl' extend packages overlays final;
  final = set;
in
final
