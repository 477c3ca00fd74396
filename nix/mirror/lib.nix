# The functions of nixpkgs' `lib` that nix/interface.nix lists, under nixpkgs' names and with
# its arguments.
let
  inherit (builtins) attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter
    foldl' fromJSON genList isList length listToAttrs map mapAttrs match readFile replaceStrings
    stringLength substring toString;
in
rec {
  inherit attrNames attrValues concatLists concatMap concatStringsSep elem elemAt filter foldl' genList
    isList length listToAttrs mapAttrs readFile replaceStrings stringLength substring;

  id = value: value;
  flip = function: first: second: function second first;
  fix = function: let self = function self; in self;
  extends = overlay: function: final:
    let previous = function final; in previous // overlay final previous;

  # The same builder with other attributes.
  overrideDerivation = drv: function: derivation (drv.drvAttrs // function drv.drvAttrs);

  assertMsg = condition: message: condition || throw message;
  importJSON = path: fromJSON (readFile path);
  importTOML = path: fromTOML (readFile path);

  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  optionalString = condition: text: if condition then text else "";
  optionalAttrs = condition: attributes: if condition then attributes else { };

  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: function: listToAttrs (map (name: nameValuePair name (function name)) names);
  filterAttrs = keep: attributes:
    listToAttrs (concatMap
      (name: optional (keep name attributes.${name}) (nameValuePair name attributes.${name}))
      (attrNames attributes));
  mapAttrsToList = function: attributes: map (name: function name attributes.${name}) (attrNames attributes);
  recursiveUpdate = left: right:
    left // mapAttrs
      (name: value:
        if left ? ${name} && builtins.isAttrs left.${name} && builtins.isAttrs value
        then recursiveUpdate left.${name} value
        else value)
      right;

  toList = value: if isList value then value else [ value ];
  unique = foldl' (found: value: if elem value found then found else found ++ [ value ]) [ ];
  subtractLists = removed: filter (value: !(elem value removed));

  concatMapStringsSep = separator: function: values: concatStringsSep separator (map function values);
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text:
    let start = stringLength text - stringLength suffix; in
    start >= 0 && substring start (stringLength suffix) text == suffix;
  removePrefix = prefix: text:
    if hasPrefix prefix text then substring (stringLength prefix) (stringLength text) text else text;
  getOutput = output: package: package.${output} or package.out or package;
  getDev = getOutput "dev";
  makeSearchPathOutput = output: folder: concatMapStringsSep ":" (package: "${getOutput output package}/${folder}");
  makeBinPath = makeSearchPathOutput "bin" "bin";
  makeLibraryPath = makeSearchPathOutput "lib" "lib";
  toLower = replaceStrings
    (genList (position: substring position 1 "ABCDEFGHIJKLMNOPQRSTUVWXYZ") 26)
    (genList (position: substring position 1 "abcdefghijklmnopqrstuvwxyz") 26);
  escapeShellArg = argument:
    if match "[[:alnum:],._+:@%/-]+" (toString argument) != null
    then toString argument
    else "'${replaceStrings [ "'" ] [ "'\\''" ] (toString argument)}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
}
