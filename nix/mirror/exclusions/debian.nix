# What no tree of Debian packages keeps, each with its reason.
[
  "share/doc" # documentation
  "share/man" # documentation
  "share/info" # documentation
  "share/doc-base" # the documentation's register
  "share/lintian" # notes of Debian's package checker
  "share/bug" # scripts of Debian's bug reporter
  "share/menu" # desktop menus
  "share/applications" # desktop menus
  "share/pixmaps" # desktop icons
  "share/bash-completion" # interactive shells
  "lib/x86_64-linux-gnu/*.a" # static libraries
  "lib/x86_64-linux-gnu/gconv" # iconv(3)'s character sets; Python has its own
  "share/i18n" # sources of locales
  "lib/ssl" # links to the host's /etc/ssl
  "etc/ssl"
]
