# What Debian's Python keeps out of images beyond debian_exclusions.nix, each with its reason.
[
  "bin/*-config" # for building against Python
  "bin/pdb3*" # python -m pdb
  "bin/pydoc3*" # python -m pydoc
  "bin/pygettext3*" # extracts translations
  "bin/2to3*" # python -m lib2to3
  "bin/py3*" # maintainer scripts
  "include" # headers
  "share/python*" # maintainer scripts
  "share/readline" # examples
  "share/terminfo" # a second copy of terminals
  "lib/python3.*/config-3.*" # Makefile for building against Python
  "etc/python*" # sitecustomize of Debian's crash reporter
  "lib/python3.*/sitecustomize.py" # a link to it
  "etc/init.d"
  "etc/bindresvport.blacklist"
  "lib/mime"
]
