# What Debian's Python keeps out of images beyond debian.nix, each with its reason.
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
  "etc" # mime.types, netconfig and the like: all that reads them looks into the root's /etc
  "lib/python3.*/sitecustomize.py" # a link there, of Debian's crash reporter
  "lib/mime"
  "lib/python3.*/test" # the standard library's tests and their helpers
  "lib/python3.*/lib-dynload/_*test*" # extension modules that only those tests load
  "lib/python3.*/lib-dynload/xxlimited*" # an example of an extension module
  "lib/python3.*/turtle.py" # needs tkinter, which Debian packages apart
  "lib/python3.*/turtledemo" # its examples
  "share/gcc" # how the debugger prints C++
  "share/gdb" # the same, and Python's
  "share/binfmts" # for binfmt_misc's register
  "lib/x86_64-linux-gnu/engines-*" # OpenSSL's drivers of hardware, which Python's ssl cannot load
  "lib/x86_64-linux-gnu/krb5" # plugins that log in to Kerberos; NIS is all that needs its libraries
  "lib/x86_64-linux-gnu/libmpdec++.so*" # the C++ interface; the decimal module takes the C one
  "lib/x86_64-linux-gnu/libexpatw.so*" # expat for wide characters; pyexpat takes the other one
  "lib/x86_64-linux-gnu/libhistory.so*" # a part of libreadline, once more
  "lib/x86_64-linux-gnu/libformw.so*" # forms on terminals; Python's curses has windows and panels
  "lib/x86_64-linux-gnu/libmenuw.so*" # menus on terminals
  "lib/x86_64-linux-gnu/libtic.so*" # compiles descriptions of terminals
]
