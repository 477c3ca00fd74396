# What the time zones leave out beyond debian.nix, each with its reason.
[
  "share/zoneinfo/posix" # a second copy of all zones
  "share/zoneinfo/right" # zones that count leap seconds
]
