# A simple index (PEP 503) as a folder: packages that come as source, and what builds them.
{ pkgs }:

let
  inherit (pkgs) lib;

  source = pname: version: sha256: {
    inherit pname;
    name = "${pname}-${version}.tar.gz";
    file = pkgs.fetchPypi { inherit pname version sha256; };
  };
  wheel = pname: version: sha256: {
    inherit pname;
    name = "${pname}-${version}-py3-none-any.whl";
    file = pkgs.fetchPypi {
      inherit pname version sha256;
      format = "wheel";
      dist = "py3";
      python = "py3";
    };
  };

  packages = [
    # C, with libffi
    (source "cffi" "1.17.1" "1c39c6016c32bc48dd54561950ebd6836e1670f2ae46128f67cf49e789c52824")
    # C++
    (source "greenlet" "3.1.1" "4ce3ac6cdb6adf7946475d7ef31777c26d94bccc377e070a7986bd2d5c515467")
    # C, with libpq, of which pg_config tells
    (source "psycopg2" "2.9.10" "12ec0b40b0273f95296233e8750441339298e6a572f7039da5b260e3c8b60e11")
    (wheel "pycparser" "2.22" "c3702b6d3dd8c7abc1afa565d7e63d53a1d0bd86cdc24edd75470f4de499cfcc")
    (wheel "setuptools" "75.3.4" "2dd50a7f42dddfa1d02a36f275dbe716f38ed250224f609d35fb60a09593d93e")
    (wheel "wheel" "0.45.1" "708e7481cc80179af0e556bbf0cc00b8444c7321e2700b8d8580231d13017248")
  ];
in
pkgs.runCommand "package-index" { } (lib.concatStringsSep "\n" (map
  (package: ''
    mkdir -p "$out/simple/${package.pname}"
    cp ${package.file} "$out/simple/${package.pname}/${package.name}"
    sha256=$(sha256sum < ${package.file})
    echo "<a href=\"${package.name}#sha256=''${sha256%% *}\">${package.name}</a>" \
      > "$out/simple/${package.pname}/index.html"
  '')
  packages))
