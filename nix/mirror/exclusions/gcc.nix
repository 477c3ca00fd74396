# What GCC leaves out beyond debian.nix, each with its reason.
[
  "bin/*lto-dump*" # shows what an object holds for link-time optimization; 24 MB
  "bin/*dwp" # debug information in files of its own
  "bin/*gprof*" # profiles
  "lib/x86_64-linux-gnu/gprofng" # profiles
  "etc" # gprofng's settings
  "bin/*gcov*" # coverage
  "share" # messages in other languages, scripts for the debugger
  # sanitizers
  "lib/gcc/x86_64-linux-gnu/*/libasan*"
  "lib/gcc/x86_64-linux-gnu/*/libhwasan*"
  "lib/gcc/x86_64-linux-gnu/*/liblsan*"
  "lib/gcc/x86_64-linux-gnu/*/libtsan*"
  "lib/gcc/x86_64-linux-gnu/*/libubsan*"
  "lib/gcc/x86_64-linux-gnu/*/libsanitizer.spec"
  # transactional memory, 128-bit floating point, the debugger's plugins
  "lib/gcc/x86_64-linux-gnu/*/libitm*"
  "lib/gcc/x86_64-linux-gnu/*/libquadmath*"
  "lib/gcc/x86_64-linux-gnu/*/libcc1*"
  "lib*/gcc/x86_64-linux-gnu/*/plugin"
]
