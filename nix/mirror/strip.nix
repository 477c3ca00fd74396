# GNU strip, without the rest of binutils.
{ debianTree, locks, tools }:

debianTree {
  name = "strip";
  packages = locks.binutils;
  below = [ tools ];
  # gdb's and the linkers' share of the two packages
  exclude = import ./exclusions/debian.nix ++ [ "lib/x86_64-linux-gnu/gprofng" "lib/x86_64-linux-gnu/bfd-plugins" "lib/x86_64-linux-gnu/ldscripts" "lib/bfd-plugins" "lib/compat-ld" "lib/gold-ld" ];
  postBuild = ''
    mv bin/x86_64-linux-gnu-strip strip
    rm bin/*
    mv strip bin/strip
    # What calls it takes a library that it cannot strip as it is.
    bin/strip --version > /dev/null
  '';
}
