# The pure-Python libraries with which this set's builders work, as one folder for PYTHONPATH.
{ lib, bootstrap }:

bootstrap.run "mirror-python-libraries"
{ wheels = map bootstrap.wheel [ "installer" "packaging" "poetry-core" "pyproject-hooks" "tomli" ]; }
  ''
    mkdir -p "$out"
    for wheel in $wheels; do
      unzip -q "$wheel" -d "$out"
    done
  ''
