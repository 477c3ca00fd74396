# The programs of which builders can be sure: what `runCommand` finds on PATH.
{ debianTree, locks }:

debianTree {
  name = "mirror-tools";
  packages = locks.tools;
  exclude = import ./exclusions/debian.nix ++ [ "share/locale" "share/terminfo" "lib/terminfo" ];
  postBuild = ''
    ln -s bash bin/sh
    ln -s mawk bin/awk
  '';
}
