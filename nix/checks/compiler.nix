# Compilers and headers work in a build, without an image: an extension module from C and C++, compiled
# as each Python says that it was, linked with a library of Python's and with others, that Python imports.
{ pkgs, compiler, pythons }:

let
  inherit (pkgs) lib;

  # shell commands that build the module in $PWD and print what it answers
  build = python:
    let
      building = compiler { inherit python; };
      interpreter = "${python}/bin/${python.executable}";
    in
    ''
      echo 'Python ${python.version}'
      mkdir ${python.executable}
      (
        cd ${python.executable}
        export PATH=${lib.concatStringsSep ":" building.path}:$PATH
        ${lib.concatStringsSep "\n" (lib.mapAttrsToList (name: value: "export ${name}=${value}") building.environmentVariables)}
        ask() {
          ${interpreter} -c 'import sys, sysconfig; print(*sysconfig.get_config_vars(*sys.argv[1:]))' "$@"
        }
        $(ask CC CFLAGS CCSHARED) $(pkg-config --cflags libxml-2.0) -c ../module.c
        $(ask CXX CFLAGS CCSHARED) -c ../length.cc
        $(ask LDSHARED) module.o length.o -o "module$(ask EXT_SUFFIX)" \
          $(pkg-config --libs libpq libxml-2.0) -lz -lpthread -ldl -lstdc++
        ${interpreter} -c 'import module; print(*module.answer())' > answer
        cat answer
        grep -q '^1[.].* 4$' answer
      )
    '';
in
pkgs.runCommand "compiler" { } ''
  set -o pipefail
  export PYTHONDONTWRITEBYTECODE=1
  cat > module.c <<'EOF'
  #define PY_SSIZE_T_CLEAN
  #include <Python.h>
  #include <dlfcn.h>
  #include <libpq-fe.h>
  #include <libxml/xmlversion.h>
  #include <pthread.h>
  #include <zlib.h>
  long length(const char *);
  static PyObject *answer(PyObject *self, PyObject *none) {
      pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
      if (pthread_mutex_lock(&mutex) != 0 || dlopen(NULL, RTLD_LAZY) == NULL) {
          return PyErr_SetFromErrno(PyExc_OSError);
      }
      xmlCheckVersion(LIBXML_VERSION);
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
  {
    ${lib.concatMapStringsSep "\n" build pythons}
  } 2>&1 | tee "$out"
''
