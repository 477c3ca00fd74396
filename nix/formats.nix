# The formats of an image beside its archive, all of the same bytes: configuration and layers, and so
# the image's identity, are the same in each.
{ pkgs, toolPython }:

# archive    the image of dockerTools.buildLayeredImage
# streamer   the same of dockerTools.streamLayeredImage
# name, tag  the image's
# base       the formats of the image below, or null
{ archive, streamer, name, tag, base ? null }:

let
  inherit (pkgs) lib;
  python = "${toolPython}/bin/${toolPython.executable} -I -B";
in
rec {
  inherit archive;

  # An OCI image layout, its layers compressed with gzip.
  oci = pkgs.runCommand "oci" { } ''
    ${python} ${./formats/write_layout.py} --tag ${lib.escapeShellArg tag} \
      ${lib.optionalString (base != null) "--base ${base.oci}"} ${archive} "$out"
  '';

  # A program that writes the archive to its standard output, from the store's files.
  stream = pkgs.writeShellScriptBin "stream" ''
    exec ${streamer} "$@"
  '';

  # A program that loads the image into Docker, without the layers that the daemon has.
  load = pkgs.writeShellScriptBin "load" ''
    exec ${python} ${./formats/load_image.py} --stream ${streamer} \
      --name ${lib.escapeShellArg "${lib.toLower name}:${tag}"} \
      ${lib.optionalString (streamer ? description) "--description ${streamer.description}"} "$@"
  '';

  # A program that pushes the image to a registry, without the layers that the registry has. The
  # manifest is the layout's, so that the image's digest there is known before.
  push = pkgs.writeShellScriptBin "push" ''
    if [ $# = 0 ]; then
      echo 'push: where to? push docker://REGISTRY/NAME:TAG [options of skopeo copy]' >&2
      exit 2
    fi
    exec ${pkgs.skopeo}/bin/skopeo --insecure-policy copy --preserve-digests ${lib.escapeShellArg "oci:${oci}:${tag}"} "$@"
  '';
}
