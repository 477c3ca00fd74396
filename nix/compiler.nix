# What building a Python package from its source needs: compilers, headers, and the variables that
# lead compilers and pkg-config to them.
{ pkgs }:

{ python }:

let
  inherit (pkgs) lib;

  # What Python itself links with, then clients of PostgreSQL and LDAP, XML and YAML.
  libraries = [
    pkgs.openssl
    pkgs.libffi
    pkgs.zlib
    pkgs.bzip2
    pkgs.xz
    pkgs.sqlite
    pkgs.expat
    pkgs.readline
    pkgs.ncurses
    pkgs.libuuid
    pkgs.postgresql
    pkgs.openldap
    pkgs.cyrus_sasl
    pkgs.libxml2
    pkgs.libxslt
    pkgs.libyaml
  ];

  headers = "${lib.getDev python}/include/${python.executable}:${lib.makeSearchPathOutput "dev" "include" libraries}";
in
{
  # all of it
  packages = [ pkgs.gcc pkgs.gnumake pkgs.pkg-config (lib.getDev python) ] ++ libraries ++ map lib.getDev libraries;

  # folders for PATH; some libraries say by a program how to build with them
  path = [
    (lib.makeBinPath [ pkgs.gcc pkgs.gnumake pkgs.pkg-config ])
    (lib.makeSearchPathOutput "dev" "bin" [ pkgs.postgresql pkgs.libxml2 pkgs.libxslt ])
  ];

  environmentVariables = {
    C_INCLUDE_PATH = headers;
    CPLUS_INCLUDE_PATH = headers;
    LIBRARY_PATH = lib.makeLibraryPath libraries;
    PKG_CONFIG_PATH = lib.makeSearchPathOutput "dev" "lib/pkgconfig" libraries;
  };
}
