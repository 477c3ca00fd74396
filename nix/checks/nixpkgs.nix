# Everything in the shape that it has with nixpkgs and poetry2nix, evaluated with stand-ins for both
# that take their arguments and no others; and the list of what is relied on is complete.
{ pkgs }:

let
  inherit (pkgs) lib;
  interface = import ../interface.nix;

  nixpkgs = ./stand_in/nixpkgs;
  poetry2nix = ./stand_in/poetry2nix;

  # flake.nix with its two inputs.
  flake = (import ../../flake.nix).outputs {
    self = flake;
    nixpkgs = { outPath = nixpkgs; inherit (import nixpkgs { system = "x86_64-linux"; }) lib; };
    inherit poetry2nix;
  };
  outputs = output: map (attribute: "${output} ${attribute}")
    (builtins.attrNames (removeAttrs flake.${output}.x86_64-linux [ "interface" "nixpkgs" ]));
  image = flake.packages.x86_64-linux.image;
  python = (import nixpkgs { system = "x86_64-linux"; overlays = [ (import ../python.nix) ]; }).python39;

  documentation = builtins.readFile ../INTERFACE.md;
  listed = name: builtins.length (builtins.split "`${name}`" documentation) > 1;
  missing = builtins.filter (name: !(listed name))
    (interface.packages ++ interface.dockerTools ++ interface.vmTools ++ interface.poetry2nix ++ interface.lib);

  inherit (import ./evaluation.nix { inherit nixpkgs poetry2nix; }) report;
in
if missing != [ ] then
  throw "nix/INTERFACE.md does not say what is relied on of ${lib.concatStringsSep ", " missing}"
else if builtins.elem "--with-system-libmpdec" python.configureFlags then
  throw "the platform's Python is built with nixpkgs' libmpdec, and so without _decimal: see nix/python.nix"
else if image.imageTag != "python3.9.8" then
  throw "the platform's Python is ${image.imageTag} where Python is built from source, not 3.9.8: nix/python.nix is no overlay of flake.nix's package set"
else
  pkgs.writeText "nixpkgs" (lib.concatStringsSep "\n" (builtins.concatMap outputs [ "packages" "checks" "devShells" "apps" ] ++ [ report ]))
