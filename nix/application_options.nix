# The options of mkApplication: names, defaults, what each may be. What is wrong with the arguments
# of a call is said in one line.
{ pkgs }:

let
  inherit (pkgs) lib;

  fail = message: throw "mkApplication: ${message}";

  matches = pattern: value: builtins.isString value && builtins.match pattern value != null;
  isListOf = holds: value: builtins.isList value && builtins.all holds value;
  isSetOf = holds: value: builtins.isAttrs value && builtins.all (name: holds name value.${name}) (builtins.attrNames value);
  isPath = value: builtins.isPath value || builtins.isString value && lib.hasPrefix "/" value || value ? outPath;
  isIdentity = lowest: value: builtins.isInt value && value >= lowest && value < 4294967295;

  # A path below projectDir, without "..".
  isInside = value: matches "[^/].*" value && !(builtins.elem ".." (builtins.filter builtins.isString (builtins.split "/" value)));

  options = {
    projectDir = {
      expected = "the folder with pyproject.toml and poetry.lock, such as ./.";
      holds = isPath;
    };
    applicationModule = {
      default = "app.main:app";
      expected = "MODULE:VARIABLE, such as \"app.main:app\"";
      holds = matches "[^[:space:]:/.]+([.][^[:space:]:/.]+)*:[^[:space:]]+";
    };
    python = {
      default = "python39";
      expected = "the name of a Python of the package source, such as \"python39\"";
      holds = matches "python3[0-9]+";
    };
    groups = {
      default = [ "main" ];
      expected = "a list of dependency groups, such as [ \"main\" ]";
      holds = isListOf builtins.isString;
    };
    developmentGroups = {
      default = [ "dev" ];
      expected = "a list of dependency groups, such as [ \"dev\" \"test\" ]";
      holds = isListOf builtins.isString;
    };
    extras = {
      default = [ "*" ];
      expected = "a list of extras, or [ \"*\" ] for all";
      holds = isListOf builtins.isString;
    };
    sources = {
      default = null;
      expected = "a list of files and folders of the project, such as [ \"app\" \"alembic.ini\" ]";
      holds = value: value == null || isListOf isInside value && value != [ ];
    };
    testSources = {
      default = [ "tests" ];
      expected = "a list of files and folders of the project, such as [ \"tests\" ]";
      holds = isListOf isInside;
    };
    files = {
      default = { };
      expected = "a set of absolute path in the container -> path, such as { \"/etc/motd\" = ./motd; }";
      holds = isSetOf (name: value: lib.hasPrefix "/" name && isPath value);
    };
    packages = {
      default = pkgs: [ ];
      expected = "a function of the package source, such as pkgs: [ pkgs.busybox ]";
      holds = builtins.isFunction;
    };
    environmentVariables = {
      default = { };
      expected = "a set of strings, such as { WORKERS = \"2\"; }";
      holds = isSetOf (name: value: matches "[A-Za-z_][A-Za-z0-9_]*" name && builtins.isString value);
    };
    imageName = {
      default = null;
      expected = "a repository's name in lower case, such as \"registry.local:5000/team/name\"";
      holds = value: value == null
        || matches "([a-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*" value;
    };
    imageTag = {
      default = null;
      expected = "an image's tag: letters, digits, \"_\", \".\" and \"-\", 128 at most";
      holds = value: value == null || matches "[A-Za-z0-9_][A-Za-z0-9._-]{0,127}" value;
    };
    user = {
      default = { };
      expected = "a set of id, group (numbers, id not 0) and name, such as { id = 1001; group = 0; name = \"application\"; }";
      holds = isSetOf (name: value:
        name == "id" && isIdentity 1 value
        || name == "group" && isIdentity 0 value
        || name == "name" && matches "[a-z_][a-z0-9_-]{0,31}" value);
    };
    labels = {
      default = { };
      expected = "a set of strings, such as { \"org.opencontainers.image.vendor\" = \"we\"; }";
      holds = isSetOf (name: value: builtins.isString value);
    };
  };

  check = arguments: name: option:
    if !(arguments ? ${name}) then
      option.default or (fail "the option ${name} is missing: ${option.expected}")
    else if option.holds arguments.${name} then
      arguments.${name}
    else
      fail "the option ${name} is not allowed as it is: expected ${option.expected}";

  quoted = lib.concatMapStringsSep ", " (name: "\"${name}\"");
in
{
  inherit fail;

  names = builtins.attrNames options;

  # The arguments of a call -> the value of every option.
  read = arguments:
    let
      unknown = builtins.attrNames (removeAttrs arguments (builtins.attrNames options));
      values = builtins.mapAttrs (check arguments) options;
    in
    if unknown != [ ]
    then fail "there is no option ${quoted unknown}: the options are ${lib.concatStringsSep ", " (builtins.attrNames options)}"
    # Every one is looked at, also those that the caller never asks for.
    else builtins.seq (builtins.deepSeq (builtins.mapAttrs (name: value: builtins.typeOf value) values) null) values;

  # Refuses what is not there, where `mend` says what to do.
  existing = projectDir: name: mend:
    if builtins.pathExists (projectDir + "/${name}") then projectDir + "/${name}"
    else fail "there is no ${name} in projectDir: ${mend} (in a git repository also: git add ${name})";
}
