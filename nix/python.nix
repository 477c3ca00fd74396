# The overlay that makes `python39` CPython 3.9.8, wherever the package source can build a Python
# from its source; one that takes it from a distribution keeps the distribution's version.
#
# nixpkgs gives all Pythons its own libmpdec, whose present version 3.9 cannot use: CPython's build
# then goes on without `_decimal`. The one that lies in CPython's source fits.
final: previous: {
  python39 =
    if previous.python39 ? sourceVersion
    then
      (previous.python39.override
        {
          sourceVersion = { major = "3"; minor = "9"; patch = "8"; suffix = ""; };
          # of upstream's Python-3.9.8.tar.xz
          hash = "sha256-Z1zgm/I8CYNr8ZabdEsepMGhjDJ4hiZjJSXwhETrrVw=";
        }).overrideAttrs
        (attributes: {
          configureFlags = builtins.filter (flag: flag != "--with-system-libmpdec") attributes.configureFlags;
        })
    else previous.python39;
}
