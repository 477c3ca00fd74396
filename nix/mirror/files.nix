# Locked files as fixed-output derivations. None has a URL: ./mirror puts the file into the store
# by its hash, and a derivation whose output is there is never built. Built all the same, it says
# which command brings the file. `mirrorFile` tells ./mirror what to fetch.
{ system }:

let
  storeName = location:
    builtins.replaceStrings [ "%" "~" "!" ":" ] [ "_" "-" "-" "_" ] (baseNameOf location);

  busyboxLock = builtins.fromJSON (builtins.readFile ./debian/busybox.lock.json);

  fixed = description: attributes: derivation ({
    inherit system;
    preferLocalBuild = true;
    mirrorFile = builtins.toJSON description;
  } // attributes);

  flat = kind: file: description: fixed
    ({ inherit kind; inherit (file) location sha256; } // description)
    {
      name = storeName file.location;
      builder = "${busybox}/bin/busybox";
      args = [
        "sh"
        "-c"
        "echo 'the file ${baseNameOf file.location} is not in the store: put ./mirror before the nix command' >&2; exit 1"
      ];
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = file.sha256;
    };

  # The first executable of all, bin/busybox: static, with sh, dpkg-deb, tar, unzip and xz in it.
  busybox = fixed
    { kind = "member"; inherit (busyboxLock) location sha256 size snapshot member; }
    {
      name = "busybox";
      builder = "builtin:fetchurl";
      url = "file:///put-mirror-before-the-nix-command";
      executable = true;
      outputHashMode = "recursive";
      outputHashAlgo = "sha256";
      outputHash = busyboxLock.narHash;
    };
in
{
  # A location -> the name of its file in the store.
  inherit busybox storeName;

  # { location, sha256, size, … } of debian/lock.json -> the .deb
  debianPackage = file: flat "debian" file { inherit (file) size snapshot; };

  # { project, location, sha256, size ? } -> the wheel or sdist
  pythonFile = file: flat "pypi" file
    ({ inherit (file) project; } // (if file ? size then { inherit (file) size; } else { }));
}
