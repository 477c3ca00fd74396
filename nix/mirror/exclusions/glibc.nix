# What the C library keeps out of images beyond debian.nix, each with its reason.
[
  "bin" # getconf, iconv, locale, ldd: tools of libc-bin
  "sbin" # ldconfig, zic: tools of libc-bin
  "etc" # ld.so.conf, gai.conf: nothing reads them from here
  "share"
  "lib/x86_64-linux-gnu/audit" # ld.so's auditing example
  "lib/x86_64-linux-gnu/libmemusage.so" # debugging
  "lib/x86_64-linux-gnu/libpcprofile.so" # debugging
  "lib/x86_64-linux-gnu/libc_malloc_debug.so*" # debugging
  "lib/x86_64-linux-gnu/libSegFault.so" # debugging
  "lib/x86_64-linux-gnu/libthread_db*" # debugging
  "lib/x86_64-linux-gnu/libBrokenLocale*" # a workaround for programs of the last century
  "lib/x86_64-linux-gnu/libnss_hesiod*" # accounts from name servers; nsswitch.conf names files and dns
  "lib/x86_64-linux-gnu/libnss_compat*" # accounts from NIS
]
