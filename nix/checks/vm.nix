# The core suite in a virtual machine: a Docker daemon of its own, the images loaded and run as a
# user would, pytest over HTTP and Docker. The output holds junit.xml and the log. Only the example's
# image is loaded: without KVM the platform image would take a minute, and runs elsewhere.
#
# nixpkgs' machine demands the feature `kvm`, though its emulator does without, and waits for ever:
# both are changed here, for every package source.
{ pkgs, testEnvironment, archiveReader, tests, imageVariables }:

let
  # The mirror set's machine ends itself sooner, and says why.
  seconds = "1500";
in
pkgs.lib.overrideDerivation (pkgs.vmTools.runInLinuxVM (pkgs.runCommand "vm"
  (imageVariables // {
    memSize = 3072;
    vmDeadline = 1200;
    nativeBuildInputs = [ pkgs.docker ];
  }) ''
  set -euo pipefail
  export PATH=$PATH:${pkgs.busybox}/bin HOME=/tmp COLUMNS=160 PYTHONPATH=${archiveReader} PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  mkdir -p "$out"

  if [ ! -e /sys/fs/cgroup/cgroup.controllers ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
  fi
  start_daemon() {
    dockerd --storage-driver=overlay2 >> /tmp/dockerd.log 2>&1 &
    daemon=$!
    starts=$((''${starts:-0} + 1))
  }
  start_daemon
  deadline=$(($(date +%s) + 480))
  until docker version > /dev/null 2>&1; do
    if ! kill -0 "$daemon" 2> /dev/null && [ "$starts" -lt 5 ]; then
      # It waits 15 s for containerd, which takes longer where a busy machine emulates this one, and
      # finds that running when it starts again.
      start_daemon
    elif ! kill -0 "$daemon" 2> /dev/null || [ "$(date +%s)" -ge "$deadline" ]; then
      echo "the Docker daemon did not come up, started $starts times; its last lines:"
      tail -n 20 /tmp/dockerd.log
      exit 1
    fi
    sleep 0.2
  done
  read -r up _ < /proc/uptime
  echo "Docker $(docker version --format '{{.Server.Version}}') is up after $up s, started $starts times"

  cd ${tests}
  ${testEnvironment}/bin/python -u -m pytest -p no:cacheprovider --color no -vv -x --durations 5 \
    --junitxml "$out/junit.xml" -m "core and not platform" image 2>&1 | tee "$out/log"
''))
  (attributes: {
    requiredSystemFeatures = [ ];
    # The shell stays the builder: `timeout` closes its output before it ends, which Nix takes for the
    # end, and kills what is there still.
    args = [
      "-c"
      "${pkgs.coreutils}/bin/timeout --kill-after=10 ${seconds} \"$0\" \"$@\"; exit $?"
      attributes.builder
    ] ++ attributes.args;
  })
