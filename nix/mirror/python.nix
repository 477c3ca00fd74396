# Debian's CPython as nixpkgs' `python3X`: a prefix that runs from the store, byte-compiled. Its
# headers are an output of their own, `dev`, from the packages `headers`.
{ lib, mirror, runCommand, glibc, version, packages, exclude, headers }:

let
  parts = builtins.match "([0-9]+)\\.([0-9]+).*" version;
  pythonVersion = "${builtins.elemAt parts 0}.${builtins.elemAt parts 1}";
  executable = "python${pythonVersion}";

  libraries = "lib/x86_64-linux-gnu";

  passthru = {
    pname = "python3";
    inherit version pythonVersion executable;
    sitePackages = "lib/${executable}/site-packages";
    implementation = "cpython";
    # the C library that it is linked with, where nixpkgs has it
    stdenv.cc.libc = glibc;
    # for executables that wheels bring along
    loader = "${glibc}/${libraries}/ld-linux-x86-64.so.2";
  };

  tree = mirror.debianTree {
    name = "python3-${version}";
    inherit packages passthru;
    below = [ glibc ];
    exclude = exclude ++ import ./exclusions/python.nix;
    postBuild = ''
      mkdir -p lib/${executable}
      for module in lib/python3/dist-packages/* lib/python3.*/dist-packages/*; do
        if [ -e "$module" ]; then
          mv "$module" lib/${executable}/
        fi
      done
      rm -rf lib/python3
      for name in python3 python; do
        ln -s ${executable} bin/$name
      done
      bin/${executable} -I -B ${mirror.byteCodeCompiler} --jobs "$NIX_BUILD_CORES" \
        ${lib.concatMapStringsSep " " (pattern: "--without '${pattern}'") (import ./exclusions/python_byte_code.nix)} \
        lib/${executable}
    '';
  };
in
tree // {
  interpreter = "${tree}/bin/${executable}";
  libraryPath = "${tree}/${libraries}:${glibc}/${libraries}";
  dev = import ./development_library.nix { inherit (mirror) debianTree; } {
    name = "python3-dev";
    inherit version;
    packages = headers;
    below = [ glibc ];
    exclude = exclude ++ [ "bin" "lib/python3*" "lib/x86_64-linux-gnu/*.so" "lib/x86_64-linux-gnu/pkgconfig/*-embed.pc" ];
  };
}
