# What a virtual machine is made of: emulator, kernel, the guest's first processes.
{ lib, mirror, runCommand }:

let
  inherit (mirror) debianTree bootstrap locks tools;
  exclusions = import ./exclusions/debian.nix;
in
rec {
  # QEMU for x86_64, with the firmware that booting a kernel directly needs, and mksquashfs.
  qemu = debianTree {
    name = "qemu";
    packages = locks.qemu;
    below = [ tools ];
    exclude = exclusions ++ [
      "bin/qemu-system-i386" # 32-bit machines
      "bin/qemu-system-x86_64-microvm" # knows no emulation
      "share/icons" # displays
      "lib/x86_64-linux-gnu/sasl2" # logins of remote displays
      "etc"
    ];
    # share/qemu is 60 MB of firmware for machines that are not emulated here
    postBuild = ''
      mkdir firmware
      cp share/seabios/bios-256k.bin share/qemu/kvmvapic.bin share/qemu/linuxboot_dma.bin firmware/
      rm -rf share
    '';
  };

  # Modules that the guest loads, dependencies first (resolved by modules.dep), unless they are built
  # into the kernel.
  modules = [
    "virtio_pci"
    "virtio_blk"
    "virtio_console"
    "squashfs"
    "overlay"
    # Docker's bridge, and the iptables matches that its published ports need
    "br_netfilter"
    "veth"
    "xt_conntrack"
    "xt_addrtype"
    "xt_MASQUERADE"
    "xt_nat"
    "xt_tcpudp"
    "ip_tables"
    "iptable_filter"
    "iptable_nat"
  ];

  # vmlinuz, the initial RAM disk of the guest, and that of the probe for KVM.
  guest = bootstrap.run "guest"
    {
      deb = map bootstrap.debianPackage locks.linux;
      inherit (bootstrap) busybox;
      inherit modules;
      moduleOrder = ./guest/module_order.awk;
      init = ./guest/init.sh;
      stage2 = ./guest/stage2.sh;
      probe = ./guest/probe.sh;
    }
    ''
      dpkg-deb -x $deb kernel
      mv kernel/usr/lib kernel/lib
      version=$(ls kernel/lib/modules)
      folder=kernel/lib/modules/$version
      find $folder -name '*.ko.xz' -exec unxz {} +
      depmod -b kernel "$version"
      mkdir -p "$out" initrd/bin initrd/modules probe/bin
      awk -v "wanted=$modules" -f "$moduleOrder" $folder/modules.builtin $folder/modules.dep > order
      while read -r file; do
        cp "$folder/$file" initrd/modules/
        echo "''${file##*/}"
      done < order > initrd/modules/order
      cp kernel/boot/vmlinuz-* "$out/vmlinuz"
      for tree in initrd probe; do
        cp "$busybox/bin/busybox" $tree/bin/
      done
      cp "$init" initrd/init
      cp "$stage2" initrd/stage2
      cp "$probe" probe/init
      chmod 755 initrd/init initrd/stage2 probe/init
      for tree in initrd probe; do
        find $tree -exec touch -h -d @1 {} +
        (cd $tree && find . | sort | cpio -o -H newc -R 0:0) > "$out/$tree" 2>/dev/null
      done
    '';

  # The Docker daemon and client, and what the daemon calls.
  docker = debianTree {
    name = "docker";
    packages = locks.docker;
    below = [ tools ];
    exclude = exclusions ++ [
      "bin/dnet" # libnetwork's test client
      "bin/ovrouter" # overlay networks
      "bin/ctr" # containerd's client
      "bin/containerd-shim" # older shims
      "bin/containerd-shim-runc-v1"
      "sbin/nfnl_osf" # passive fingerprinting
      "etc"
      "lib/systemd"
      "lib/udev"
      "share"
    ];
    postBuild = ''
      for name in iptables ip6tables iptables-save iptables-restore ip6tables-save ip6tables-restore; do
        rm -f sbin/$name
        cat > sbin/$name <<EOF
      #!${tools}/bin/bash
      export XTABLES_LIBDIR=$out/lib/x86_64-linux-gnu/xtables
      exec $out/sbin/xtables-legacy-multi $name "\$@"
      EOF
        chmod 755 sbin/$name
      done
      # All that the daemon calls stands beside it.
      for program in sbin/*; do
        rm -f "bin/''${program##*/}"
        ln -s "../$program" "bin/''${program##*/}"
      done
    '';
  };
}
