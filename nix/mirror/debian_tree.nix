# Debian packages -> one store path that runs from the store.
#
# /usr is folded into the root, as Debian itself does since bookworm. Executables get the tree's
# own dynamic loader and an RPATH over the tree and the trees below it. DT_RPATH, not RUNPATH:
# it also holds for every library and extension module that the process loads, so that libraries
# stay as Debian built them, byte for byte (ld.so(8)).
{ lib, bootstrap, debianRecords }:

{ name
  # entries of debian/lock.json
, packages
  # other trees that hold libraries and the loader
, below ? [ ]
  # paths in the tree, shell patterns, that are left out; see exclusions/debian.nix
, exclude ? [ ]
  # shell commands, run in the finished tree
, postBuild ? ""
, passthru ? { }
}:

let
  tree = bootstrap.run name
    {
      debs = map bootstrap.debianPackage packages;
      inherit below postBuild;
      exclude = lib.concatStringsSep "\n" exclude;
      inherit (bootstrap) patchelf;
      builderScript = ./debian_tree.sh;
    }
    ''. "$builderScript"'';
in
tree // passthru // { inherit packages; distributionPackages = debianRecords { inherit packages; }; }
