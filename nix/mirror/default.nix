# The mirror set: the names of nix/interface.nix from Debian packages and PyPI wheels.
#
# Takes what `import nixpkgs` takes, as far as it is used here:
#   system    only x86_64-linux is locked
#   overlays  a list of nixpkgs overlays (final: prev: { … })
{ system ? "x86_64-linux", overlays ? [ ], config ? { } }:

let
  lib = import ./lib.nix;

  packages = final: {
    inherit lib;

    stdenv.hostPlatform = { inherit system; };

    mirror = rec {
      locks =
        let sets = lib.importTOML ./debian/sets.toml; in
        builtins.mapAttrs (set: map (package: package // { inherit (sets.${set}) suite; })) (lib.importJSON ./debian/lock.json);
      versionOf = import ./version_of.nix { inherit lib locks; };
      files = import ./files.nix { inherit system; };
      bootstrap = import ./bootstrap.nix { inherit lib system files locks; };
      debianRecords = import ./debian_records.nix { inherit lib bootstrap; };
      debianTree = import ./debian_tree.nix { inherit lib bootstrap debianRecords; };
      buildRequirements = import ./build_requirements.nix { inherit lib bootstrap; };
      wheelExclusions = import ./exclusions/wheels.nix;
      wheelLibraries = import ./wheel_libraries.nix { inherit lib bootstrap; };
      tools = import ./tools.nix { inherit debianTree locks; };
      strip = import ./strip.nix { inherit debianTree locks tools; };
      inherit (import ./trivial_builders.nix { inherit lib system tools; }) runCommand;
      virtualMachine = import ./virtual_machine.nix { inherit lib; inherit (final) mirror runCommand; };
      byteCodeCompiler = ./builders/compile_byte_code.py;
      # The Python that runs this set's own builders.
      python = final.python313;
      evaluation = final.runCommand "mirror-evaluation" { } ''
        printf '%s\n' ${python} ${wheelLibraries} ${tools} > $out
      '';
    };

    inherit (import ./trivial_builders.nix { inherit lib system; inherit (final.mirror) tools; })
      runCommand writeText writeTextFile writeTextDir writeShellScriptBin symlinkJoin buildEnv mkShell bashInteractive;

    inherit (import ./distribution.nix { inherit lib; inherit (final) mirror runCommand; })
      busybox cacert tzdata shellcheck skopeo docker-distribution python39 python311 python313;

    # What compiles for the youngest Python; each Python has its own.
    inherit (final.python313.toolchain)
      gcc gnumake pkg-config bzip2 cyrus_sasl expat libffi libuuid libxml2 libxslt libyaml ncurses openldap openssl
      postgresql readline sqlite xz zlib;

    fetchPypi = import ./fetch_pypi.nix { inherit (final.mirror) files; };

    inherit (final.mirror.virtualMachine) docker;

    coreutils = final.mirror.tools;

    vmTools = import ./vm_tools.nix { inherit lib; inherit (final) mirror writeText busybox; };

    dockerTools = import ./docker_tools.nix { inherit lib; pkgs = final; };

    # Enough for layer_choice.py; see nix/image.nix.
    maximumLayers = 7;
  }
  # What nix/checks/digests.nix compares the images with: digests of what the checkout locks.
  // lib.optionalAttrs (builtins.pathExists ./digests.json) { recordedDigests = ./digests.json; };
in
assert lib.assertMsg (system == "x86_64-linux")
  "nix/mirror: its lock files hold packages for x86_64-linux only, not for ${system}";
lib.fix (lib.foldl' (lib.flip lib.extends) packages overlays)
