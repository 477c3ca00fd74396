# nixpkgs' `fetchPypi`: a file of a Python package by its SHA-256, hexadecimal.
{ files }:

{ pname
, version
, sha256
  # "wheel", or "setuptools" for a source distribution
, format ? "setuptools"
, extension ? "tar.gz"
  # a wheel's tags
, python ? "py2.py3"
, abi ? "none"
, platform ? "any"
  # where nixpkgs looks for it
, dist ? python
}:

files.pythonFile {
  project = pname;
  location =
    if format == "wheel" then "${pname}-${version}-${python}-${abi}-${platform}.whl"
    else "${pname}-${version}.${extension}";
  inherit sha256;
}
