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
in
{
  buildLayeredImage =
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
    , compressor ? "none"
    , passthru ? { }
    }:
    assert lib.assertMsg (compressor == "none")
      "nix/mirror: dockerTools.buildLayeredImage writes no ${compressor}: compressor = \"none\"";
    let
      baseName = baseNameOf name;
      layer = customisationLayer {
        name = baseName;
        contents = lib.toList contents;
        inherit extraCommands fakeRootCommands;
      };
      configuration = writeText "${baseName}-configuration.json"
        (builtins.toJSON { inherit config architecture; os = "linux"; });
      image = runCommand "${baseName}.tar"
        {
          exportReferencesGraph = [ "configuration-closure" configuration "layer-closure" layer ];
          PYTHONDONTWRITEBYTECODE = "1";
          passthru = { imageName = lib.toLower name; imageTag = imageTag; } // passthru;
        } ''
        ${mirror.python.interpreter} -I -B ${./builders/write_image.py} \
          --name ${lib.escapeShellArg "${lib.toLower name}:${imageTag}"} \
          --configuration ${configuration} \
          --customisation-layer ${layer}/layer.tar \
          --created ${lib.escapeShellArg created} \
          --max-layers ${toString maxLayers} \
          ${lib.optionalString includeStorePaths "--closure configuration-closure --closure layer-closure"} \
          --without ${configuration} --without ${layer} \
          ${lib.optionalString (fromImage != null) "--from-image ${fromImage}"} \
          "$out"
      '';
      imageTag =
        if tag != null then tag
        else builtins.substring 11 32 (builtins.unsafeDiscardStringContext layer.outPath);
    in
    image;
}
