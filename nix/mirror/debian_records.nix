# Debian packages -> what a bill of materials says of each: a list of { name, version, source,
# architecture, suite, sha256, record }. `record` is a folder: `control`, `copyright` where the
# package has one, and `files`, the paths that debian_tree.nix gives its files.
{ lib, bootstrap }:

# packages   entries of debian/lock.json
# generated  whether a store path has none of the files, but something that was made of them
{ packages, generated ? false }:

let
  records = bootstrap.run "debian-records" { debs = map bootstrap.debianPackage packages; } ''
    mkdir root "$out"
    for deb in $debs; do
      dpkg-deb -e "$deb" information
      name=$(sed -n 's/^Package: //p' information/control)
      mkdir single "$out/$name"
      dpkg-deb -x "$deb" single
      ${lib.optionalString (!generated) ''
        (cd single; find . ! -type d | sed 's,^\./,,; s,^usr/,,' | sort) > "$out/$name/files"
      ''}
      mv information/control "$out/$name/control"
      cp -a single/. root/
      rm -rf information single
    done
    # Some have the folder of another package in the place of their own.
    for record in "$out"/*; do
      file=root/usr/share/doc/''${record##*/}/copyright
      if [ -e "$file" ]; then
        cp -L "$file" "$record/copyright"
      fi
    done
  '';
  architecture = location: builtins.head (builtins.match ".*_([a-z0-9]+)[.]deb" location);
in
map
  (package: {
    name = package.package;
    inherit (package) version source suite sha256;
    architecture = architecture package.location;
    record = "${records}/${package.package}";
  })
  packages
