# nixpkgs' `vmTools.runInLinuxVM`: a derivation whose builder runs in a virtual machine.
#
# Read of the derivation, as there: memSize (MiB), QEMU_OPTS, preVM, postVM. Beside these:
#   vmDeadline  seconds after which the machine is ended (default 600)
# No feature `kvm` is demanded: a guest that really boots decides between KVM and emulation.
{ lib, mirror, writeText, busybox }:

let
  inherit (mirror) tools virtualMachine;
in
{
  runInLinuxVM = drv:
    let
      attributes = removeAttrs drv.drvAttrs [ "passAsFile" ];
      inputs = writeText "vm-inputs" (builtins.toJSON attributes);
    in
    derivation (attributes // {
      builder = "${tools}/bin/bash";
      args = [ "-euo" "pipefail" ./guest/run.sh ];
      origBuilder = attributes.builder;
      origArgs = lib.escapeShellArgs (attributes.args or [ ]);
      memSize = toString (attributes.memSize or 512);
      vmDeadline = toString (attributes.vmDeadline or 600);
      exportReferencesGraph = [ "closure" inputs ];
      inherit (virtualMachine) qemu guest;
      vmPath = lib.makeBinPath [ tools busybox ];
    });
}
