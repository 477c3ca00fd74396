# The bill of materials of an image, in CycloneDX and SPDX: a folder with cyclonedx.json and spdx.json.
#
# What is in it says the image itself. What a store path is, say the derivations that lead to it:
# from `roots` on, all that any of them is made of is looked at, and the `distributions` of an
# environment. Read of a derivation, in nixpkgs as in the mirror set:
#   pname, version, meta.license, meta.description, meta.homepage
#   pythonModule          there in Python distributions; then src.outputHash is as poetry.lock has it
#   distributionPackages  the mirror set's alone: the packages of a distribution that a store path
#                         is made of, each with name, version, source, architecture, suite, sha256,
#                         and `record`, a folder with its control and copyright files
{ pkgs, environment, toolPython }:

# name, tag  the image's
# archive    the image
# roots      derivations
# own        what no store path holds: a list of { name, version, licence, locations, requires }
# required   derivations of which a file must be in the image: its Python, its C library
{ name, tag, archive, roots, own, required }:

let
  inherit (pkgs) lib;

  writer = environment { projectDir = ./sbom; python = toolPython; };

  isDerivation = value: builtins.isAttrs value && value.type or null == "derivation";
  derivationsIn = value:
    if isDerivation value then [ value ]
    else if builtins.isList value then builtins.concatMap derivationsIn value
    else [ ];

  plain = builtins.unsafeDiscardStringContext;
  keyed = derivation: { key = plain derivation.outPath; inherit derivation; };
  all = builtins.genericClosure {
    startSet = map keyed roots;
    operator = item: map keyed
      (builtins.concatMap derivationsIn (builtins.attrValues (item.derivation.drvAttrs or { }))
        ++ item.derivation.distributions or [ ]);
  };

  isPythonModule = derivation: derivation.pythonModule or false != false;
  # Whether a source is a file that a lock pins, not a folder that was made of one.
  isFile = source: source.outputHash or "" != "" && source.outputHashMode or "flat" == "flat";
  toList = value: if builtins.isList value then value else [ value ];
  identifier = licence: if builtins.isString licence then licence else licence.spdxId or licence.fullName or "unknown";
  homepage = derivation: builtins.head (toList (derivation.meta.homepage or "") ++ [ "" ]);

  describe = derivation: map
    (output: {
      path = plain derivation.${output}.outPath;
      name = derivation.pname or "";
      version = derivation.version or "";
      licences = map identifier (toList (derivation.meta.license or [ ]));
      description = derivation.meta.description or "";
      homepage = homepage derivation;
      sha256 = if isPythonModule derivation && isFile derivation.src or null then derivation.src.outputHash else "";
      distribution = derivation.distributionPackages or [ ];
    })
    (derivation.outputs or [ "out" ]);

  materials = pkgs.writeText "materials.json" (builtins.toJSON {
    inherit own;
    required = map (derivation: plain derivation.outPath) required;
    materials = builtins.concatMap (item: describe item.derivation) all;
  });
in
pkgs.runCommand "sbom" { passthru = { inherit materials; }; PYTHONHASHSEED = "0"; PYTHONUTF8 = "1"; } ''
  ${writer}/bin/python -B ${./sbom}/write_sbom.py --name ${lib.escapeShellArg name} --tag ${lib.escapeShellArg tag} \
    --materials ${materials} ${archive} "$out"
''
