# The builders of nixpkgs' pkgs/build-support/trivial-builders that nix/interface.nix lists, on
# bash and GNU coreutils of the mirror set.
{ lib, system, tools }:

rec {
  # name, environment, bash script -> derivation. `nativeBuildInputs` come first on PATH;
  # `passthru` and `meta` are attributes of the result alone.
  runCommand = name: environment: script:
    let
      built = derivation ((removeAttrs environment [ "passthru" "meta" "nativeBuildInputs" ]) // {
        inherit name system;
        builder = "${tools}/bin/bash";
        # Run in a virtual machine, the command comes in the environment instead of a file.
        args = [
          "-euo"
          "pipefail"
          "-c"
          ''if [ -n "''${buildCommandPath:-}" ]; then source "$buildCommandPath"; else eval "$buildCommand"; fi''
        ];
        buildCommand = script;
        passAsFile = [ "buildCommand" ] ++ environment.passAsFile or [ ];
        PATH = lib.makeBinPath ((environment.nativeBuildInputs or [ ]) ++ [ tools ]);
        SOURCE_DATE_EPOCH = "315532800";
        preferLocalBuild = true;
      });
    in
    built // { inherit name; meta = environment.meta or { }; } // environment.passthru or { };

  writeTextFile = { name, text, executable ? false, destination ? "" }:
    runCommand name { inherit text executable destination; passAsFile = [ "text" ]; } ''
      target=$out$destination
      mkdir -p "$(dirname "$target")"
      cp "$textPath" "$target"
      if [ -n "$executable" ]; then
        chmod 755 "$target"
      else
        chmod 644 "$target"
      fi
    '';

  writeText = name: text: writeTextFile { inherit name text; };

  writeTextDir = path: text: writeTextFile { name = baseNameOf path; inherit text; destination = "/${path}"; };

  writeShellScriptBin = name: text: writeTextFile {
    inherit name;
    executable = true;
    destination = "/bin/${name}";
    text = ''
      #!${tools}/bin/bash
      ${text}
    '';
  };

  # A forest of links to the files of `paths`, the folders real.
  symlinkJoin = { name, paths, postBuild ? "", passthru ? { }, meta ? { } }:
    runCommand name { inherit paths passthru meta; } ''
      mkdir -p "$out"
      for path in $paths; do
        cp -rsf --no-preserve=mode "$path/." "$out/"
      done
      ${postBuild}
    '';

  buildEnv = { name, paths, pathsToLink ? [ "/" ], postBuild ? "", passthru ? { }, meta ? { } }:
    runCommand name { inherit paths pathsToLink passthru meta; } ''
      mkdir -p "$out"
      for path in $paths; do
        for linked in $pathsToLink; do
          if [ -d "$path$linked" ]; then
            mkdir -p "$out$linked"
            cp -rsf --no-preserve=mode "$path$linked/." "$out$linked/"
          fi
        done
      done
      ${postBuild}
    '';

  # A shell with `packages` on PATH, for `nix develop`, which sources the `setup` of its `stdenv`.
  mkShell = { name ? "shell", packages ? [ ], shellHook ? "", ... }@arguments:
    derivation ((removeAttrs arguments [ "packages" "passthru" "meta" ]) // {
      inherit name system shellHook;
      builder = "${tools}/bin/bash";
      args = [ "-c" "export > $out" ];
      PATH = lib.makeBinPath (packages ++ [ tools ]);
      stdenv = writeTextDir "setup" "";
      outputs = [ "out" ];
    });

  # The shell that `nix develop` starts.
  bashInteractive = runCommand "bash-interactive" { } ''
    mkdir -p "$out/bin"
    ln -s ${tools}/bin/bash "$out/bin/bash"
  '';
}
