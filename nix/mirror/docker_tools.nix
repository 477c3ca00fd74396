# nixpkgs' `dockerTools` as far as nix/interface.nix lists it. The archive is what `docker load`
# reads (Docker Image Specification v1.2, "Combined Image JSON + Filesystem Changeset Format").
{ lib, pkgs }:

let
  inherit (pkgs) mirror runCommand writeText;

  # The files of an image that are not store paths: `contents` linked together, then the two
  # scripts, run in that root. The second one and tar see the ownership that it sets.
  customisationLayer = { name, contents, extraCommands, fakeRootCommands }:
    runCommand "${name}-customisation-layer"
      { inherit contents extraCommands fakeRootCommands; }
      ''
        mkdir root
        for content in $contents; do
          cp -rsf --no-preserve=mode "$content/." root/
        done
        find root -type d -exec chmod 755 {} +
        (cd root; eval "$extraCommands")
        mkdir "$out"
        started=$(faked-sysv)
        trap 'kill "''${started##*:}"' EXIT
        FAKEROOTDONTTRYCHOWN=1 FAKEROOTKEY=''${started%%:*} LD_PRELOAD=${mirror.tools}/lib/x86_64-linux-gnu/libfakeroot/libfakeroot-sysv.so \
          bash -euo pipefail -c '
            cd root
            eval "$fakeRootCommands"
            tar --sort=name --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --hard-dereference \
              --format=gnu -cf "$out/layer.tar" .
          '
      '';

  # The arguments of nixpkgs' buildLayeredImage and streamLayeredImage -> what both are made of.
  prepare =
    { name
    , tag ? null
    , fromImage ? null
    , contents ? [ ]
    , config ? { }
    , architecture ? "amd64"
    , created ? "1970-01-01T00:00:01Z"
    , maxLayers ? 100
    , extraCommands ? ""
    , fakeRootCommands ? ""
    , includeStorePaths ? true
    , passthru ? { }
    }:
    let
      baseName = baseNameOf name;
      layer = customisationLayer {
        name = baseName;
        contents = lib.toList contents;
        inherit extraCommands fakeRootCommands;
      };
      configuration = writeText "${baseName}-configuration.json"
        (builtins.toJSON { inherit config architecture; os = "linux"; });
      imageTag =
        if tag != null then tag
        else builtins.substring 11 32 (builtins.unsafeDiscardStringContext layer.outPath);
    in
    {
      inherit baseName fromImage;
      environment = {
        exportReferencesGraph = [ "configuration-closure" configuration "layer-closure" layer ];
        passthru = { imageName = lib.toLower name; inherit imageTag; } // passthru;
      };
      # of write_image.py and describe_image.py
      options = ''
        --name ${lib.escapeShellArg "${lib.toLower name}:${imageTag}"} \
          --configuration ${configuration} \
          --customisation-layer ${layer}/layer.tar \
          --created ${lib.escapeShellArg created} \
          --max-layers ${toString maxLayers} \
          --jobs "$NIX_BUILD_CORES" \
          ${lib.optionalString includeStorePaths "--closure configuration-closure --closure layer-closure"} \
          --without ${configuration} --without ${layer}'';
    };

  # Scripts that import each other: without -I, which hides their folder from them.
  python = "${mirror.python.interpreter} -E -s -B";
in
rec {
  buildLayeredImage = { compressor ? "none", ... }@arguments:
    assert lib.assertMsg (compressor == "none")
      "nix/mirror: dockerTools.buildLayeredImage writes no ${compressor}: compressor = \"none\"";
    let image = prepare (removeAttrs arguments [ "compressor" ]); in
    runCommand "${image.baseName}.tar" image.environment ''
      ${python} ${./builders}/write_image.py ${image.options} \
        ${lib.optionalString (image.fromImage != null) "--from-image ${image.fromImage}"} \
        "$out"
    '' // { stream = streamLayeredImage (removeAttrs arguments [ "compressor" ]); };

  # A program that writes the same archive to its standard output, layers straight from the store.
  # Beside nixpkgs': it takes `--without DIGEST`, and its output `description` says what layers
  # there are; see builders/describe_image.py.
  streamLayeredImage = arguments:
    let
      image = prepare arguments;
      base = image.fromImage.stream.description or null;
    in
    runCommand "stream-${image.baseName}"
      (image.environment // { outputs = [ "out" "description" ]; })
      ''
        ${python} ${./builders}/describe_image.py ${image.options} \
          ${if base != null then "--base-description ${base}"
            else lib.optionalString (image.fromImage != null) "--from-image ${image.fromImage}"} \
          "$description"
        {
          echo '#!${mirror.tools}/bin/bash'
          echo 'exec ${python} ${./builders}/stream_image.py '"$description"' "$@"'
        } > "$out"
        chmod 755 "$out"
      '';
}
