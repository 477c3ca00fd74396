# Modules of the standard library that stay as source alone, shell patterns, each with its reason: no
# server imports them. An import compiles them in memory, in 15 ms at most.
[
  "pydoc_data/topics.py" # the texts of help(), half a megabyte
  "lib2to3/*" # translates from Python 2
  "_pydecimal.py" # stands in for the C module _decimal, which is there
  "_pyio.py" # the same for _io
  "_pydatetime.py" # the same for _datetime
]
