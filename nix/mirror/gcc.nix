# Debian's GCC, binutils and the C library's headers as nixpkgs' `gcc`: compilers that work from
# the store, with no variables.
#
# GCC finds what stands beside it by its own path (gcc(1), GCC_EXEC_PREFIX), and there it reads a
# file `specs` first (GCC manual, "Spec Files"). That file adds
#   the headers: this tree, in which `usr` leads to the root, instead of the machine's
#   the dynamic loader, which every executable names
#   DT_RPATH over the trees of `below`, after what the caller gives; see debian_tree.nix
{ lib, debianTree, glibc }:

{ version
  # entries of debian/lock.json
, packages
, exclude
  # trees whose libraries programs link with
, below
}:

let
  libraries = "lib/x86_64-linux-gnu";
in
debianTree {
  name = "gcc-${version}";
  inherit packages below;
  # Of the static libraries some are needed, see below.
  exclude = lib.filter (pattern: pattern != "${libraries}/*.a") exclude ++ import ./exclusions/gcc.nix;
  passthru = { pname = "gcc"; inherit version; };
  postBuild = ''
    # The static C library goes. What stays are a part of the shared one, and the empty archives that
    # answer to -lpthread and the like since glibc 2.34 has it all in libc.
    find ${libraries} -name '*.a' ! -name libc_nonshared.a -size +8c -exec rm {} +

    ln -s gcc bin/cc
    ln -s g++ bin/c++
    ln -s . usr
    # where GCC looks for `as` and `ld` before PATH
    mkdir x86_64-linux-gnu
    ln -s ../bin x86_64-linux-gnu/bin

    # links to libraries that exclusions/glibc.nix leaves out
    for library in ${libraries}/*.so; do
      if [ ! -e "$library" ]; then
        rm "$library"
      fi
    done

    folder=$(echo lib/gcc/x86_64-linux-gnu/*)
    # Linker scripts name the C library's files where Debian puts them (ld(1), "INPUT", "GROUP").
    for script in $(grep -l '^/\* GNU ld script' ${libraries}/*.so "$folder"/*.so); do
      sed -i \
        -e "s,/usr/${libraries}/,$out/${libraries}/,g" \
        -e "s,\([ (]\)/lib\(/x86_64-linux-gnu\|64\)/,\1${glibc}/${libraries}/,g" \
        -e "s,\([ (]\)libgcc_s,\1${glibc}/${libraries}/libgcc_s," \
        "$script"
    done

    rpath=
    for tree in $below; do
      rpath="$rpath -rpath $tree/${libraries}"
    done
    {
      # The file replaces what is built in.
      bin/gcc -dumpspecs
      printf '*cpp_unique_options:\n+ %s\n\n' "%{!-sysroot=*:-isysroot $out}"
      printf '*link:\n+ %s\n\n' "%{!static:%{!static-pie:%{!shared:-dynamic-linker ${glibc}/${libraries}/ld-linux-x86-64.so.2}}}"
      printf '*endfile:\n+ %s\n\n' "%{!static:%{!static-pie:--disable-new-dtags$rpath}}"
    } > specs
    mv specs "$folder/specs"
  '';
}
