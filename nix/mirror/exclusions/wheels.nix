# What is left out of wheels when they are installed, each with its reason.
{
  # Names of files that go if they are programs of Windows. .NET assemblies stay: Mono runs them.
  windows_programs = [
    "*.exe" # launchers of scripts, which setuptools, distlib and installer write on Windows
  ];

  # Names of folders with tests of the package that they lie in. They go if nothing else in the wheel
  # reads them and no other project's tests could; poetry2nix/unread_suites.py says how that is told.
  suites = [ "test" "tests" ];

  # Suites that go although a string or another test names them, or other projects' tests could.
  judged_suites = [
    "setuptools/_distutils/tests" # setuptools/_distutils/command/sdist.py means folders of projects that are built
    "setuptools/tests" # so does setuptools/discovery.py
  ];
}
