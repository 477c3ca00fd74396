# What compiling for one Python needs, under nixpkgs' names: compilers, make, pkg-config, and of each
# library the headers and what the linker takes; all of the Debian release that the Python is of.
#
# python   a Python of this set
# release  what the names of the release's sets end in: `gcc${release}` and others
{ lib, mirror, python, release }:

let
  inherit (mirror) debianTree versionOf;
  exclude = import ./exclusions/debian.nix;
  glibc = python.stdenv.cc.libc;
  locked = set: mirror.locks."${set}${release}";

  # The upstream version of the set's first package whose name is a pattern.
  versionIn = set: pattern: versionOf "${set}${release}"
    (builtins.head (lib.filter (entry: builtins.match pattern entry.package != null) (locked set))).package;

  tree = { name, version ? null, packages, below ? [ glibc ], exclusions ? [ ] }: debianTree {
    name = if version == null then name else "${name}-${version}";
    inherit packages below;
    exclude = exclude ++ [ "etc" "share" ] ++ exclusions;
    passthru = { pname = name; inherit version; };
  };

  # Where the libraries themselves lie: the Python holds those that it links with, this one others.
  libraries = tree {
    name = "libraries";
    packages = locked "libraries";
    below = [ glibc python ];
    exclusions = [
      "lib/x86_64-linux-gnu/libicuio.*" # ICU's own tools
      "lib/x86_64-linux-gnu/libicutest.*"
      "lib/x86_64-linux-gnu/libicutu.*"
      "lib/x86_64-linux-gnu/krb5" # plugins that log in to Kerberos
    ];
  };
  below = [ glibc python libraries ];

  # packages: patterns of names; the first one's version is the library's
  library = name: packages: import ./development_library.nix { inherit debianTree; } {
    inherit name exclude below;
    version = versionIn "development" (builtins.head packages);
    packages = lib.filter (entry: builtins.any (pattern: builtins.match pattern entry.package != null) packages)
      (locked "development");
    postBuild = adjustments.${name} or "";
  };

  adjustments = {
    # There is the wide library alone; it has the other one's functions, too.
    ncurses = "echo 'INPUT(-lncursesw)' > lib/libncurses.so";

    # Debian's headers lie one folder lower, and its pg_config is a Perl program that ends with its answers.
    postgresql = ''
      (cd include && ln -s postgresql/* .)
      answers=$out/lib/pg_config.txt
      sed -n '/^BINDIR = /,/^$/{/^$/!p}' bin/pg_config > "$answers"
      cat > bin/pg_config <<EOF
      #!/bin/sh
      # pg_config(1): prints the answer to each --NAME, or all
      if [ \$# = 0 ]; then
          exec cat $answers
      fi
      for option; do
          if ! grep -qi "^\''${option#--} = " $answers; then
              echo "pg_config: invalid argument: \$option" >&2
              exit 1
          fi
          sed -n "s,^\''${option#--} = ,,Ip" $answers
      done
      EOF
    '';
  };
in
lib.mapAttrs library {
  bzip2 = [ "libbz2-dev" ];
  cyrus_sasl = [ "libsasl2-dev" ];
  expat = [ "libexpat1-dev" ];
  libffi = [ "libffi-dev" ];
  libuuid = [ "uuid-dev" ];
  libxml2 = [ "libxml2-dev" "libicu-dev" ];
  libxslt = [ "libxslt1-dev" ];
  libyaml = [ "libyaml-dev" ];
  ncurses = [ "libncurses-dev" ];
  openldap = [ "libldap2?-dev" ];
  openssl = [ "libssl-dev" ];
  postgresql = [ "libpq-dev" ];
  readline = [ "libreadline-dev" ];
  sqlite = [ "libsqlite3-dev" ];
  xz = [ "liblzma-dev" ];
  zlib = [ "zlib1g-dev" ];
}
  // {
  gcc = import ./gcc.nix { inherit lib debianTree glibc; } {
    version = versionIn "gcc" "gcc-[0-9]+";
    packages = locked "gcc";
    inherit exclude below;
  };

  gnumake = tree { name = "gnumake"; version = versionIn "make" "make"; packages = locked "make"; };

  pkg-config = tree { name = "pkg-config"; version = versionIn "pkgconf" "pkgconf"; packages = locked "pkgconf"; };
}
