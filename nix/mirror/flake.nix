{
  description = "The package set for networks where only mirrors of Debian and PyPI answer";

  outputs = { self }:
    let
      pkgs = import ./. { system = "x86_64-linux"; };
    in
    {
      inherit (pkgs) lib;
      legacyPackages.x86_64-linux = pkgs;

      # What an evaluation has to build: the tools that choose the wheels of an environment.
      packages.x86_64-linux.evaluation = pkgs.mirror.evaluation;
    };
}
