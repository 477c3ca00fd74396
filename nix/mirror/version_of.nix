# The upstream version of a set's package: "1:3.9.2-1+deb11u7" -> "3.9.2"
{ lib, locks }:

set: package:
let
  found = builtins.head (lib.filter (entry: entry.package == package) locks.${set});
in
builtins.elemAt (builtins.match "([0-9]+:)?([^-+~]+).*" found.version) 1
