# The digests of all images are the recorded ones: a changed image shows in a diff.
# `recorded` is null where the package source says nothing of them; `record` writes it anew.
{ pkgs, toolPython, images, recorded }:

let
  inherit (pkgs) lib;
  python = "${toolPython}/bin/${toolPython.executable} -I -B";
  arguments = lib.concatStringsSep " " (lib.mapAttrsToList (name: image: "${name}=${image}") images);
in
{
  check = pkgs.runCommand "digests" { } ''
    set -o pipefail
    ${python} ${./image_digests.py} --recorded ${recorded} ${arguments} 2>&1 | tee "$out"
  '';

  record = pkgs.writeShellScriptBin "record-digests" ''
    set -e
    ${lib.optionalString (recorded == null) ''
      echo "record-digests: these images are not of the locked packages of nix/mirror, whose digests are recorded: ./mirror --locked nix run .#record-digests" >&2
      exit 1
    ''}
    file=nix/mirror/digests.json
    if [ ! -f "$file" ]; then
      echo "record-digests: no $file here: start it in the repository's folder" >&2
      exit 1
    fi
    trap 'rm -f "$file.new"' EXIT
    ${python} ${./image_digests.py} ${arguments} > "$file.new"
    mv "$file.new" "$file"
  '';
}
