# What building a Python package from its source needs: compilers, headers, and the variables that
# lead compilers and pkg-config to them. A Python that a package source links with other libraries
# than its own brings the right ones along, as `toolchain`.
{ pkgs }:

{ python }:

let
  inherit (pkgs) lib;
  toolchain = python.toolchain or pkgs;

  # What Python itself links with, then clients of PostgreSQL and LDAP, XML and YAML.
  libraries = [
    toolchain.openssl
    toolchain.libffi
    toolchain.zlib
    toolchain.bzip2
    toolchain.xz
    toolchain.sqlite
    toolchain.expat
    toolchain.readline
    toolchain.ncurses
    toolchain.libuuid
    toolchain.postgresql
    toolchain.openldap
    toolchain.cyrus_sasl
    toolchain.libxml2
    toolchain.libxslt
    toolchain.libyaml
  ];

  headers = "${lib.getDev python}/include/${python.executable}:${lib.makeSearchPathOutput "dev" "include" libraries}";
in
{
  # all that the rest refers to
  packages = [ toolchain.gcc toolchain.gnumake toolchain.pkg-config (lib.getDev python) ] ++ libraries ++ map lib.getDev libraries;

  # folders for PATH; some libraries say by a program how to build with them
  path = [
    (lib.makeBinPath [ toolchain.gcc toolchain.gnumake toolchain.pkg-config ])
    (lib.makeSearchPathOutput "dev" "bin" [ toolchain.postgresql toolchain.libxml2 toolchain.libxslt ])
  ];

  environmentVariables = {
    C_INCLUDE_PATH = headers;
    CPLUS_INCLUDE_PATH = headers;
    LIBRARY_PATH = lib.makeLibraryPath libraries;
    PKG_CONFIG_PATH = lib.makeSearchPathOutput "dev" "lib/pkgconfig" libraries;
  };
}
