# What compiling needs, under nixpkgs' names: compilers, make, pkg-config, and of each library the
# headers and what the linker takes.
{ lib, mirror, glibc, python39 }:

let
  inherit (mirror) debianTree locks versionOf;
  exclude = import ./exclusions/debian.nix;

  tree = { name, version ? null, packages, below ? [ glibc ], exclusions ? [ ] }: debianTree {
    name = if version == null then name else "${name}-${version}";
    inherit packages below;
    exclude = exclude ++ [ "etc" "share" ] ++ exclusions;
    passthru = { pname = name; inherit version; };
  };

  # Where the libraries themselves lie: python39 holds those that Python links with, this one others.
  libraries = tree {
    name = "libraries";
    packages = locks.libraries;
    below = [ glibc python39 ];
    exclusions = [
      "lib/x86_64-linux-gnu/libicuio.*" # ICU's own tools
      "lib/x86_64-linux-gnu/libicutest.*"
      "lib/x86_64-linux-gnu/libicutu.*"
    ];
  };
  below = [ glibc python39 libraries ];

  library = name: packages: import ./development_library.nix { inherit debianTree; } {
    inherit name exclude below;
    version = versionOf "development" (builtins.head packages);
    packages = lib.filter (entry: lib.elem entry.package packages) locks.development;
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
  openldap = [ "libldap2-dev" ];
  openssl = [ "libssl-dev" ];
  postgresql = [ "libpq-dev" ];
  readline = [ "libreadline-dev" ];
  sqlite = [ "libsqlite3-dev" ];
  xz = [ "liblzma-dev" ];
  zlib = [ "zlib1g-dev" ];
}
  // {
  gcc = import ./gcc.nix { inherit lib debianTree glibc; } {
    version = versionOf "gcc" "gcc-10";
    packages = locks.gcc;
    inherit exclude below;
  };

  gnumake = tree { name = "gnumake"; version = versionOf "make" "make"; packages = locks.make; };

  pkg-config = tree { name = "pkg-config"; version = versionOf "pkgconf" "pkgconf"; packages = locks.pkgconf; };
}
