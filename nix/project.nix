# pyproject.toml, parsed -> what images and checks need to know of a project. Both spellings:
# [tool.poetry], and [project] (PEP 621) with [dependency-groups] (PEP 735).
{ lib, fail }:

pyproject:

let
  poetry = pyproject.tool.poetry or { };
  standard = pyproject.project or { };

  # "uvicorn[standard]>=0.15 ; marker" -> "uvicorn" (PEP 508)
  nameOf = requirement: builtins.head (builtins.match "[[:space:]]*([A-Za-z0-9._-]+).*" requirement);
  namesOf = requirements: map nameOf (builtins.filter builtins.isString requirements);

  field = name: default: poetry.${name} or standard.${name} or default;
  required = name:
    let value = field name null; in
    if builtins.isString value then value
    else fail "pyproject.toml has no ${name}: put one into its table ${if poetry != { } then "tool.poetry" else "project"}";
in
if poetry == { } && standard == { } then fail "pyproject.toml has no table tool.poetry or project: poetry init"
else if poetry ? dev-dependencies then
  fail "pyproject.toml has the table tool.poetry.dev-dependencies, which poetry2nix takes for production: rename it to tool.poetry.group.dev.dependencies, then poetry lock --no-update"
else {
  name = required "name";
  version = required "version";
  description = field "description" "";
  license =
    let value = field "license" null; in
    if builtins.isAttrs value then value.text or null else value;

  # The names that a dependency group asks for; "main" are the project's own.
  dependencies = group:
    if group == "main"
    then builtins.attrNames (poetry.dependencies or { }) ++ namesOf (standard.dependencies or [ ])
    else builtins.attrNames (poetry.group.${group}.dependencies or { }) ++ namesOf (pyproject.dependency-groups.${group} or [ ]);
}
