# A Python environment and server files -> a layered image.
#
# Two images in one: below, store paths (each a layer) and the root's own files; above, alone in the
# top layer, what the caller copies into the root, such as the application.
{ pkgs, applicationServer, formats, sbom }:

let
  inherit (pkgs) lib;
  root = "/application_root";
in
{ name
, tag
  # images of the same lower name have equal layers below the application's; they are made once
, lowerName ? name
, python
  # shell commands, run in the root of the image: what the lower layers hold beside the contract's
, rootCommands ? ""
  # the same for the top layer, or null for none
, topCommands ? null
  # environment variables beside the contract's
, environmentVariables ? { }
, labels ? { }
  # folders that come before the image's own on PATH
, path ? [ ]
, entrypoint ? [ "gunicorn" "-c" "/application_server/gunicorn_configuration.py" ]
  # the arguments of the entrypoint where `docker run` gives none
, command ? [ ]
  # whether there are /entrypoints, for pytest and black, and a folder for their reports
, entrypoints ? false
, user ? { id = 1001; group = 0; name = "application"; }
  # for the bill of materials: derivations that the caller's commands bring in
, packages ? [ ]
  # and files of no store path, such as the application; see sbom.nix
, own ? [ ]
}:

let
  owner = "${toString user.id}:${toString user.group}";

  accounts = pkgs.runCommand "accounts" { } ''
    mkdir -p "$out/etc"
    cat > "$out/etc/passwd" <<'EOF'
    root:x:0:0:root:/root:/bin/sh
    ${user.name}:x:${toString user.id}:${toString user.group}::/home/${user.name}:/bin/sh
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false
    EOF
    cat > "$out/etc/group" <<'EOF'
    root:x:0:
    tty:x:5:
    ${lib.optionalString (user.group != 0) "${user.name}:x:${toString user.group}:"}
    nogroup:x:65534:
    EOF
    sed -i '/^$/d' "$out/etc/group"
    echo 'hosts: files dns' > "$out/etc/nsswitch.conf"
  '';

  defaults = {
    LOG_LEVEL = "info";
    ACCESS_LOG = "-";
    ERROR_LOG = "-";
    RELOAD = "False";
    WORKERS = "1";
    TIMEOUT = "30";
    GRACEFUL_TIMEOUT = "30";
    KEEP_ALIVE = "2";
    WORKER_TMP_DIR = "/dev/shm";
    BIND = "0.0.0.0:80";
    PYTHONUNBUFFERED = "1";
    PYTHONDONTWRITEBYTECODE = "1";
    PYTHONPATH = root;
    PYTHON_VERSION = python.version;
    VIRTUAL_ENVIRONMENT_PATH = "${root}/.venv";
    PATH = lib.concatStringsSep ":" ([ "/application_server/bin" "${root}/.venv/bin" ] ++ path
      ++ [ "/usr/local/bin" "/usr/bin" "/bin" (lib.makeBinPath [ pkgs.busybox ]) ]);
    SSL_CERT_FILE = "/etc/ssl/certs/ca-bundle.crt";
    TZDIR = "/usr/share/zoneinfo";
    LANG = "C.UTF-8";
  } // environmentVariables;

  # Where the server listens by default: of "[::]:8080,unix:/x" 8080.
  port =
    let found = builtins.match "[^,]*:([0-9]+)(,.*)?" defaults.BIND; in
    if environmentVariables ? BIND
    then lib.optional (found != null) (builtins.head found)
    else [ (environmentVariables.PORT or "80") ];

  # Docker's HEALTHCHECK, in nanoseconds; images that serve nothing have none.
  second = 1000000000;
  healthCheck =
    if builtins.head entrypoint != "gunicorn" then { Test = [ "NONE" ]; }
    else {
      Test = [ "CMD" "python" "-IS" "/application_server/health_check.py" ];
      Interval = 30 * second;
      Timeout = 10 * second;
      StartPeriod = 30 * second;
      Retries = 3;
    };

  config = {
    Entrypoint = entrypoint;
    Cmd = command;
    Env = lib.mapAttrsToList (variable: value: "${variable}=${value}") defaults;
    WorkingDir = root;
    User = owner;
    Healthcheck = healthCheck;
    ExposedPorts = lib.genAttrs (map (number: "${number}/tcp") port) (number: { });
    Labels = {
      "org.opencontainers.image.title" = name;
      "org.opencontainers.image.version" = tag;
      "uvicorn-gunicorn-poetry.python.version" = python.version;
    } // labels;
  };

  # A Python that lacks a module of its standard library makes no image.
  standardLibrary = pkgs.runCommand "standard-library" { } ''
    ${python}/bin/${python.executable} -I -S -B ${./standard_library.py}
    touch "$out"
  '';

  # What the non-root user owns; the group has the same rights, for other user ids of the group.
  ownership = ''
    chown -R ${owner} .${root}
    chmod -R g=u .${root}
  '';

  # One image's arguments -> its formats.
  formatsOf = base: arguments: formats {
    inherit base;
    inherit (arguments) name tag;
    archive = pkgs.dockerTools.buildLayeredImage (arguments // { compressor = "none"; });
    streamer = pkgs.dockerTools.streamLayeredImage arguments;
  };

  below = formatsOf null ((
    if topCommands == null then { inherit name tag config; }
    else {
      name = "${lowerName}-without-application";
      tag = "lower";
      # The store paths that the environment names have to lie below, for above there are none.
      config.Env = [ "PATH=${defaults.PATH}" ];
    }
  ) // {
    contents = [ accounts ];
    # Docker takes time for each layer. A source that puts what is large in layers of its own needs
    # few; nixpkgs goes by popularity, and would have Python and all packages in one that each
    # release of any of them sends again.
    maxLayers = pkgs.maximumLayers or 80;
    extraCommands = ''
      set -eu
      test -e ${standardLibrary}
      mkdir -p bin usr/bin usr/lib usr/share etc/ssl/certs tmp var/tmp root home/${user.name} .${root}
      ln -s ${pkgs.busybox}/bin/sh bin/sh
      ln -s ${pkgs.busybox}/bin/env usr/bin/env
      ln -s ${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt etc/ssl/certs/ca-bundle.crt
      ln -s ca-bundle.crt etc/ssl/certs/ca-certificates.crt
      ln -s ${pkgs.tzdata}/share/zoneinfo usr/share/zoneinfo
      # C.UTF-8: a distribution's C library looks for it here, nixpkgs' in its own folder
      ln -s ${python.stdenv.cc.libc}/lib/locale usr/lib/locale
      ln -s ${applicationServer { inherit python; }} application_server
      ${lib.optionalString entrypoints ''
        cp -r ${./entrypoints} entrypoints
        chmod -R u+w entrypoints
        mkdir test_coverage_reports
      ''}
      ${rootCommands}
    '';
    fakeRootCommands = ''
      set -eu
      chmod 1777 tmp var/tmp
      chmod 700 root
      chown -R ${owner} home/${user.name}
      chmod -R g=u home/${user.name}
      ${lib.optionalString entrypoints ''
        chown ${owner} test_coverage_reports
        chmod g=u test_coverage_reports
      ''}
      ${ownership}
    '';
  });

  # The archive, with its other formats as attributes.
  image = made: made.archive // {
    inherit (made) oci stream load push;
    sbom = sbom {
      inherit name tag;
      inherit (made) archive;
      roots = [ python accounts (applicationServer { inherit python; }) pkgs.busybox pkgs.cacert python.stdenv.cc.libc pkgs.tzdata ] ++ packages;
      required = [ python python.stdenv.cc.libc ];
      own = own ++ lib.optional entrypoints {
        name = "entrypoints";
        locations = [ "/entrypoints" ];
        requires = [ "pytest" "black" ];
      };
    };
  };
in
image (if topCommands == null then below else
  formatsOf below {
    inherit name tag config;
    fromImage = below.archive;
    includeStorePaths = false;
    maxLayers = 100;
    extraCommands = ''
      set -eu
      mkdir -p .${root}
      ${topCommands}
    '';
    fakeRootCommands = ''
      set -eu
      chown ${owner} .${root}
      chmod g=u .${root}
    '';
  })
