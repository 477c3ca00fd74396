#!/bin/busybox sh
# shellcheck shell=dash disable=SC1091
# Second process of the guest: the rest of a small Linux, then the derivation's own builder, with
# the environment that the host saved; sends $out and the exit status back, and powers off.
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /dev/pts /dev/shm
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
ln -s /run /var/run
echo 'root:x:0:0:root:/root:/bin/sh' >/etc/passwd
echo 'root:x:0:' >/etc/group
echo '127.0.0.1 localhost' >/etc/hosts
: >/etc/resolv.conf
hostname vm
ip link set lo up

port=
for candidate in /sys/class/virtio-ports/*; do
    if [ "$(cat "$candidate/name" 2>/dev/null)" = result ]; then
        port=/dev/${candidate##*/}
    fi
done
if [ -z "$port" ]; then
    echo "vm: there is no port for the result"
    poweroff -f
fi

read -r up _ </proc/uptime
echo "vm: up after $up s"
out=$(cat /tmp/xchg/out)
mkdir -p "$out"
cd /tmp || exit 1
# The environment was saved by bash, and bash reads it again.
env -i "$(cat /tmp/xchg/shell)" -c '
    . /tmp/xchg/saved-env
    export NIX_BUILD_TOP=/tmp TMPDIR=/tmp TEMPDIR=/tmp TMP=/tmp TEMP=/tmp
    . /tmp/xchg/command
' </dev/null
status=$?
echo "$status" >/tmp/in-vm-exit
tar -c -f - -C / "${out#/}" tmp/in-vm-exit >"$port" || echo "vm: the result could not be sent"
poweroff -f
