# What tests/machine/test_nix_log.py asks Nix for; the logs beside this are its answers.
# Files that are named `cached` a binary cache has; none of the others can be built.
let
  file = name: derivation {
    inherit name;
    system = "x86_64-linux";
    builder = "builtin:fetchurl";
    url = "file:///no-such-file";
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" name;
    preferLocalBuild = true;
  };
  needing = name: inputs: derivation {
    inherit name inputs;
    system = "x86_64-linux";
    builder = "/no-such-file";
  };
in
{
  build = needing "thing" [ (file "absent") (file "cached") ];
  cached = file "cached";
  evaluation = import (needing "chosen.nix" [ (file "first") (file "second") (needing "between" [ (file "third") ]) ]);
  broken = throw "thrown";
}
