# nix/*.nix use no other names of a package source than interface.nix lists: everything is evaluated
# once more with a source that has these names alone. Any other one is an evaluation error that
# names it and the file that uses it.
{ pkgs, poetry2nix }:

let
  inherit (pkgs) lib;
  interface = import ../interface.nix;

  pick = names: source: builtins.listToAttrs (map (name: { inherit name; value = source.${name}; }) names);

  restricted = import ../. {
    pkgs = pick interface.packages pkgs // {
      lib = pick interface.lib lib;
      dockerTools = pick interface.dockerTools pkgs.dockerTools;
      vmTools = pick interface.vmTools pkgs.vmTools;
    };
    poetry2nix = pick interface.poetry2nix poetry2nix;
  };

  evaluated = lib.mapAttrsToList (name: derivation: "${name} ${builtins.unsafeDiscardStringContext derivation.drvPath}")
    (restricted.packages // removeAttrs restricted.checks [ "interface" "nixpkgs" ]);
in
pkgs.writeText "interface" (lib.concatStringsSep "\n" evaluated)
