# Packages of the distribution under nixpkgs' names.
{ lib, mirror, runCommand }:

let
  inherit (mirror) debianTree locks;
  exclusions = import ./debian_exclusions.nix;

  # The upstream version of a set's package: "1:3.9.2-1+deb11u7" -> "3.9.2"
  versionOf = set: package:
    let found = builtins.head (lib.filter (entry: entry.package == package) locks.${set}); in
    builtins.elemAt (builtins.match "([0-9]+:)?([^-+~]+).*" found.version) 1;
in
rec {
  glibc = debianTree {
    name = "glibc-${versionOf "glibc" "libc6"}";
    packages = locks.glibc;
    exclude = exclusions ++ import ./glibc_exclusions.nix;
    passthru = { pname = "glibc"; version = versionOf "glibc" "libc6"; };
  };

  busybox = mirror.bootstrap.run "busybox-${versionOf "busybox" "busybox-static"}"
    { inherit (mirror.bootstrap) busybox; }
    ''
      mkdir -p "$out/bin"
      cp "$busybox/bin/busybox" "$out/bin/busybox"
      for applet in $(busybox --list); do
        if [ "$applet" != busybox ]; then
          ln -s busybox "$out/bin/$applet"
        fi
      done
    '' // {
    pname = "busybox";
    version = versionOf "busybox" "busybox-static";
    distributionPackages = mirror.debianRecords { packages = locks.busybox; };
  };

  cacert = mirror.bootstrap.run "cacert-${versionOf "cacert" "ca-certificates"}"
    { deb = map mirror.bootstrap.debianPackage locks.cacert; }
    ''
      dpkg-deb -x $deb unpacked
      mkdir -p "$out/etc/ssl/certs"
      cat $(find unpacked/usr/share/ca-certificates -name '*.crt' | sort) > "$out/etc/ssl/certs/ca-bundle.crt"
    '' // {
    pname = "cacert";
    version = versionOf "cacert" "ca-certificates";
    distributionPackages = mirror.debianRecords { packages = locks.cacert; generated = true; };
  };

  tzdata = debianTree
    {
      name = "tzdata-${versionOf "tzdata" "tzdata"}";
      packages = locks.tzdata;
      exclude = exclusions ++ [ "share/zoneinfo/posix" "share/zoneinfo/right" ];
      passthru = { pname = "tzdata"; version = versionOf "tzdata" "tzdata"; };
    };

  shellcheck = debianTree {
    name = "shellcheck-${versionOf "shellcheck" "shellcheck"}";
    packages = locks.shellcheck;
    below = [ mirror.tools ];
    exclude = exclusions;
    passthru = { pname = "shellcheck"; version = versionOf "shellcheck" "shellcheck"; };
  };

  skopeo = debianTree {
    name = "skopeo-${versionOf "skopeo" "skopeo"}";
    packages = locks.skopeo;
    below = [ mirror.tools ];
    exclude = exclusions ++ [
      "etc" # where skopeo asks what Docker is named
      "lib/systemd"
      "lib/udev"
      "sbin" # the device mapper's tools
    ];
    passthru = { pname = "skopeo"; version = versionOf "skopeo" "skopeo"; };
  };

  # nixpkgs' name of Docker's registry, and of its program.
  docker-distribution = debianTree {
    name = "docker-distribution-${versionOf "registry" "docker-registry"}";
    packages = locks.registry;
    below = [ mirror.tools ];
    exclude = exclusions ++ [ "etc" "lib/systemd" ];
    postBuild = ''
      mv bin/docker-registry bin/registry
    '';
    passthru = { pname = "docker-distribution"; version = versionOf "registry" "docker-registry"; };
  };

  python39 = import ./python.nix {
    inherit lib mirror runCommand glibc;
    version = versionOf "python39" "python3.9";
    packages = locks.python39;
    exclude = exclusions;
  };
}
