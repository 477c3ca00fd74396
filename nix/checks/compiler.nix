# Compilers and headers work in a build, without an image: an extension module from C and C++, linked
# with a library of Python's and with another one, that Python imports.
{ pkgs, compiler }:

let
  inherit (pkgs) lib;
  python = pkgs.python39;
  building = compiler { inherit python; };
in
pkgs.runCommand "compiler" building.environmentVariables ''
  set -o pipefail
  export PATH=${lib.concatStringsSep ":" building.path}:$PATH PYTHONDONTWRITEBYTECODE=1
  cat > module.c <<'EOF'
  #define PY_SSIZE_T_CLEAN
  #include <Python.h>
  #include <libpq-fe.h>
  #include <zlib.h>
  long length(const char *);
  static PyObject *answer(PyObject *self, PyObject *none) {
      return Py_BuildValue("sil", zlibVersion(), PQlibVersion(), length("four"));
  }
  static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
  static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "module", 0, -1, methods};
  PyMODINIT_FUNC PyInit_module(void) { return PyModule_Create(&definition); }
  EOF
  cat > length.cc <<'EOF'
  #include <string>
  extern "C" long length(const char *text) { return std::string(text).length(); }
  EOF
  cat > setup.py <<'EOF'
  from distutils.core import Extension, setup
  setup(name="module", ext_modules=[Extension("module", ["module.c", "length.cc"], libraries=["z", "pq", "stdc++"])])
  EOF
  ${python}/bin/${python.executable} setup.py build_ext --inplace
  ${python}/bin/${python.executable} -c 'import module; print(*module.answer())' | tee "$out"
  grep -q '^1[.].* 4$' "$out"
''
