# shellcheck shell=bash disable=SC2154,SC2016
# Runs the derivation's own builder in a virtual machine; see ../vm_tools.nix. Sourced by nothing:
# the builder of the derivation, with its attributes as the environment.
export > saved-env
PATH=$vmPath
export QEMU_MODULE_DIR=$qemu/lib/x86_64-linux-gnu/qemu

say() {
    echo "vm: $*"
}

emulator() {
    local seconds=$1
    shift
    timeout -s KILL "$seconds" "$qemu/bin/qemu-system-x86_64" -L "$qemu/firmware" -nodefaults -no-user-config \
        -display none -no-reboot -machine q35 -append "console=ttyS0 panic=-1 softlockup_panic=1 quiet" -serial stdio "$@" </dev/null
}

# /dev/kvm can be there, open, and still never run a guest.
kvm_works() {
    [ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
    { emulator 5 -accel kvm -cpu host -m 256 -kernel "$guest/vmlinuz" -initrd "$guest/probe" || true; } 2>/dev/null |
        grep -q '^guest is alive'
}

mkdir -p xchg-root/xchg
mv saved-env xchg-root/xchg/
printf '%s %s\n' "$origBuilder" "$origArgs" > xchg-root/xchg/command
echo "$out" > xchg-root/xchg/out
echo "$BASH" > xchg-root/xchg/shell
eval "${preVM:-}"

{
    cat "$guest/initrd"
    (cd xchg-root && find . | sort | cpio -o -H newc -R 0:0 2>/dev/null)
} > initrd
grep '^/nix/store/' closure | sort -u > paths
env -u SOURCE_DATE_EPOCH xargs -a paths sh -c '"$qemu/bin/mksquashfs" "$@" store.squashfs -noI -noD -noF -noX -no-xattrs -all-root -all-time 1 \
    -mkfs-time 1 -noappend -no-progress -quiet' sh

if kvm_works 2>/dev/null; then
    say "accelerator: KVM"
    accelerator=(-accel kvm -cpu host)
else
    say "accelerator: TCG (no guest runs with /dev/kvm on this machine)"
    accelerator=(-accel "tcg,thread=multi" -cpu "qemu64,+rdrand")
fi

boot() {
    rm -f result.tar
    status=0
    # shellcheck disable=SC2086
    emulator "$vmDeadline" "${accelerator[@]}" -smp 2 -m "$memSize" -kernel "$guest/vmlinuz" -initrd initrd \
        -drive if=none,id=store,format=raw,readonly=on,file=store.squashfs -device virtio-blk-pci,drive=store,serial=store \
        -device virtio-serial-pci -chardev file,id=result,path=result.tar -device virtserialport,chardev=result,name=result \
        ${QEMU_OPTS:-} 2>&1 | sed -u 's,\r,,g' | tee console || status=${PIPESTATUS[0]}
}

# Emulated processors now and then lock each other up for good; that is the emulator's fault and
# no answer of the guest, so the machine is booted once more.
boot
if [ ! -s result.tar ] && grep -q 'soft lockup' console; then
    say "the emulator's processors locked up: booting the machine once more"
    boot
fi

last_lines() {
    say "the console's last lines:"
    tail -n 30 console
}

case $status in
0) ;;
137)
    last_lines
    say "the machine did not end within $vmDeadline s and was ended"
    exit 1
    ;;
*)
    last_lines
    say "QEMU ended with status $status"
    exit 1
    ;;
esac
mkdir result
if ! tar -xf result.tar -C result 2>/dev/null || ! [ -s result/tmp/in-vm-exit ]; then
    last_lines
    grep -m 1 'Kernel panic' console || true
    say "the machine went down without a result"
    exit 1
fi
status=$(cat result/tmp/in-vm-exit)
cp -a "result$out" "$out"
eval "${postVM:-}"
if [ "$status" != 0 ]; then
    say "the builder in the machine ended with status $status"
    exit "$status"
fi
