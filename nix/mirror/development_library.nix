# A library's headers and what the linker takes, as nixpkgs lays them out: `include`, `lib`,
# `lib/pkgconfig`. The library itself lies in a tree below.
{ debianTree }:

{ name
, version
  # entries of debian/lock.json
, packages
, exclude
  # trees that hold the libraries
, below
  # shell commands, run in the finished tree
, postBuild ? ""
}:

debianTree {
  name = "${name}-${version}";
  inherit packages below;
  exclude = exclude ++ [ "share" ];
  passthru = { pname = name; inherit version; };
  postBuild = ''
    for folder in include lib; do
      if [ -d $folder/x86_64-linux-gnu ]; then
        cp -a $folder/x86_64-linux-gnu/. $folder/
        rm -r $folder/x86_64-linux-gnu
      fi
    done
    for file in lib/pkgconfig/*.pc bin/*; do
      if [ -f "$file" ]; then
        sed -i -e 's,/x86_64-linux-gnu\b,,g' -e "s,/usr\b,$out,g" "$file"
      fi
    done
    for library in lib/*.so; do
      if [ ! -e "$library" ]; then
        rm -f "$library"
      elif grep -q '^INPUT(' "$library"; then
        # a linker script (ld(1), "INPUT")
        for name in $(grep -o 'lib[a-z+]*\.so\.[0-9]*' "$library"); do
          for tree in $below; do
            if [ -e "$tree/lib/x86_64-linux-gnu/$name" ]; then
              sed -i "s,\b$name,$tree/lib/x86_64-linux-gnu/$name," "$library"
            fi
          done
        done
      fi
    done
    ${postBuild}
  '';
}
