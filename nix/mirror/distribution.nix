# Packages of the distribution under nixpkgs' names.
{ lib, mirror, runCommand }:

let
  inherit (mirror) debianTree locks versionOf;
  exclusions = import ./exclusions/debian.nix;

  # The C library of one Debian release.
  glibcOf = set: debianTree rec {
    name = "glibc-${passthru.version}";
    packages = locks.${set};
    exclude = exclusions ++ import ./exclusions/glibc.nix;
    passthru = { pname = "glibc"; version = versionOf set "libc6"; };
  };

  # A set "python3X" -> that Python on the C library of its own release, with what compiles for it.
  # The names of the release's other sets end in `release`.
  pythonOf = set: release:
    let
      python = import ./python.nix {
        inherit lib mirror runCommand;
        glibc = glibcOf "glibc${release}";
        version = versionOf set "python3.${lib.removePrefix "python3" set}";
        packages = locks.${set};
        headers = lib.filter (entry: lib.hasPrefix "libpython3" entry.package) locks."development${release}";
        exclude = exclusions;
      };
    in
    python // { toolchain = import ./toolchain.nix { inherit lib mirror python release; }; };
in
{
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
      exclude = exclusions ++ import ./exclusions/tzdata.nix;
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

  python39 = pythonOf "python39" "";
  python311 = pythonOf "python311" "-bookworm";
  python313 = pythonOf "python313" "-trixie";
}
