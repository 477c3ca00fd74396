# A program: builds images again, under other settings. Started in the repository's folder.
# images: the names of all.
{ pkgs, toolPython, images }:

let
  inherit (pkgs) lib;

  # Its builder prints what it sees of the user's and the machine's settings.
  probe = pkgs.runCommand "builder-settings" { } ''
    echo "settings: umask=$(umask) TZ=''${TZ-} LANG=''${LANG-} LC_ALL=''${LC_ALL-}" \
      "PYTHONHASHSEED=''${PYTHONHASHSEED-} NIX_BUILD_CORES=$NIX_BUILD_CORES processors=$(nproc)" >&2
    touch "$out"
  '';
in
pkgs.writeShellScriptBin "reproducibility" ''
  exec ${toolPython}/bin/${toolPython.executable} -IB ${./reproducibility} \
    --known ${lib.escapeShellArg (toString images)} --probe ${builtins.unsafeDiscardOutputDependency probe.drvPath} "$@"
''
