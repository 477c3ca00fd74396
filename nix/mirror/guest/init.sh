#!/bin/busybox sh
# shellcheck shell=dash disable=SC1091
# First process of the guest: loads modules, lays out a root in memory with the host's store paths
# under it, and hands over to stage2.
busybox=/bin/busybox
$busybox mkdir -p /proc /sys /dev /root /lower
$busybox mount -t proc proc /proc
$busybox mount -t sysfs sysfs /sys
$busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do
    $busybox insmod "/modules/$module" || echo "vm: cannot load $module"
done </modules/order
$busybox mount -t tmpfs -o size=90%,mode=755 root /root
cd /root || exit 1
$busybox mkdir -p bin dev etc proc run sys tmp var/lib var/tmp nix/store nix/.lower nix/.upper nix/.work usr sbin root
$busybox chmod 1777 tmp var/tmp
for disk in /sys/block/vd*; do
    if [ "$($busybox cat "$disk/serial")" = store ]; then
        $busybox mount -t squashfs -o ro "/dev/${disk##*/}" nix/.lower
    fi
done
$busybox mount -t overlay -o lowerdir=nix/.lower,upperdir=nix/.upper,workdir=nix/.work store nix/store
for folder in proc sys dev; do
    $busybox mount --move "/$folder" "$folder"
done
$busybox cp /bin/busybox bin/
$busybox cp /stage2 stage2
$busybox cp -a /xchg tmp/xchg
exec $busybox switch_root /root /stage2
