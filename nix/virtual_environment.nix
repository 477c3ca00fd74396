# A Python environment -> a real, writable virtual environment (PEP 405) that lives at `location`,
# with copies instead of links into the store, so that Poetry or pip can change it.
{ pkgs }:

{ environment, python, location }:

pkgs.runCommand "virtual-environment" { PYTHONHASHSEED = "0"; } ''
  ${python}/bin/${python.executable} -I -B ${./virtual_environment.py} \
    --site-packages ${environment}/${python.sitePackages} \
    --python ${python}/bin/${python.executable} \
    --location ${location} \
    "$out"
  ${python}/bin/${python.executable} -m compileall -q --invalidation-mode checked-hash \
    -s "$out" -p ${location} "$out/${python.sitePackages}"
''
