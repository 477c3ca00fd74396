# The locked build requirements of wheels/requirements.txt, with which packages that are locked as
# source are built: a folder of unpacked wheels, each below its project's name.
{ lib, bootstrap }:

let
  names = [
    "flit-core"
    "hatch-fancy-pypi-readme"
    "hatch-vcs"
    "hatchling"
    "importlib-metadata"
    "packaging"
    "pathspec"
    "pbr"
    "pdm-backend"
    "pluggy"
    "poetry-core"
    "pytest-runner"
    "setuptools"
    "setuptools-scm"
    "tomli"
    "trove-classifiers"
    "typing-extensions"
    "wheel"
    "zipp"
  ];
in
bootstrap.run "mirror-build-requirements"
{ } ''
  ${lib.concatMapStringsSep "\n" (name: ''
    mkdir -p "$out/${name}"
    unzip -q ${bootstrap.wheel name} -d "$out/${name}"
  '') names}
''
