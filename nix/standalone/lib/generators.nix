# `lib.generators` and `lib.cli`: values written as text.
lib:
let
  inherit (builtins) attrNames concatMap concatStringsSep filter isAttrs isBool isFloat isFunction isInt isList isPath isString mapAttrs toJSON;

  plain = v:
    if isInt v || isFloat v then toString v
    else if isBool v then lib.boolToString v
    else if v == null then "null"
    else if lib.isDerivation v then toString v
    else if isString v then v
    else if isPath v then toString v
    else throw "lib.generators.mkValueStringDefault: ${if isAttrs v then "an attribute set" else "a ${builtins.typeOf v}"} has no text of its own; give mkValueString";

in
rec {
  mkValueStringDefault = _: plain;
  mkKeyValueDefault = { mkValueString ? plain }: separator: key: value: "${lib.escape [ separator ] key}${separator}${mkValueString value}";

  toKeyValue = { mkKeyValue ? mkKeyValueDefault { } "=", listsAsDuplicateKeys ? false, indent ? "" }: set:
    let
      lines = key: value: map (v: indent + mkKeyValue key v + "\n") (if listsAsDuplicateKeys && isList value then value else [ value ]);
    in
    lib.concatStrings (lib.concatLists (lib.mapAttrsToList lines set));
  toINI = { mkSectionName ? name: lib.escape [ "[" "]" ] name, mkKeyValue ? mkKeyValueDefault { } "=", listsAsDuplicateKeys ? false }: sections:
    concatStringsSep "\n" (lib.mapAttrsToList (name: values: "[${mkSectionName name}]\n" + toKeyValue { inherit mkKeyValue listsAsDuplicateKeys; } values) sections);
  toINIWithGlobalSection = options: { globalSection, sections ? { } }:
    (if globalSection == { } then "" else toKeyValue (removeAttrs options [ "mkSectionName" ]) globalSection + "\n") + toINI options sections;
  toGitINI = set:
    let
      quoted = name: "\"${lib.escape [ "\\" "\"" ] name}\"";
      section = path: let parts = lib.reverseList path; in
        if builtins.length parts == 1 then builtins.head parts else "${builtins.head parts} ${quoted (concatStringsSep "." (builtins.tail parts))}";
      line = key: value: "\t${key} = ${if isString value then "\"${lib.replaceStrings [ "\n" ] [ "\\n" ] (lib.escape [ "\\" "\"" ] value)}\"" else plain value}";
      # Sections are what has values, however deep.
      walk = path: values:
        let
          own = lib.filterAttrs (_: v: !isAttrs v || lib.isDerivation v) values;
          inner = lib.filterAttrs (_: v: isAttrs v && !lib.isDerivation v) values;
        in
        (if own == { } && (inner != { } || builtins.length path != 1) then [ ] else [ { name = section path; value = own; } ]) ++ lib.concatLists (lib.mapAttrsToList (name: walk ([ name ] ++ path)) inner);
      lines = values: lib.concatLines (lib.concatLists (lib.mapAttrsToList (key: v: map (line key) (lib.toList v)) values));
    in
    concatStringsSep "\n" (lib.mapAttrsToList (name: values: "[${name}]\n${lines values}") (builtins.listToAttrs (walk [ ] set)));
  toJSON = _: builtins.toJSON;
  toYAML = toJSON;

  withRecursion = { depthLimit, throwOnDepthLimit ? true }:
    let
      special = [ "__functor" "__functionArgs" "__toString" "__pretty" ];
      walk = depth: v:
        if depth > depthLimit then if throwOnDepthLimit then throw "lib.generators.withRecursion: more than ${toString depthLimit} deep" else "<unevaluated>"
        else if isAttrs v then mapAttrs (name: x: if builtins.elem name special then x else walk (depth + 1) x) v
        else if isList v then map (walk (depth + 1)) v
        else v;
    in
    walk 0;

  toPretty = { multiline ? true, allowPrettyValues ? false, indent ? "" }:
    let
      between = by: if multiline then "\n${by}  " else " ";
      end = by: if multiline then "\n${by}" else " ";
      show = by: v:
        if isInt v then toString v
        else if isFloat v then "~${toString v}"
        else if isString v then text by v
        else if v == true then "true" else if v == false then "false" else if v == null then "null"
        else if isPath v then toString v
        else if isList v then if v == [ ] then "[ ]" else "[" + between by + lib.concatMapStringsSep (between by) (show (by + "  ")) v + end by + "]"
        else if isFunction v then called (lib.functionArgs v)
        else if isAttrs v then
          if v ? __pretty && v ? val && allowPrettyValues then v.__pretty v.val
          else if v == { } then "{ }"
          else if lib.isDerivation v then "<derivation ${v.name or "???"}>"
          else if v ? __functor then called (lib.functionArgs v)
          else "{" + between by + concatStringsSep (between by) (lib.mapAttrsToList (name: x: "${lib.strings.escapeNixIdentifier name} = ${builtins.addErrorContext "while showing '${name}'" (show (by + "  ") x)};") v) + end by + "}"
        else throw "lib.generators.toPretty: ${builtins.typeOf v} can't be shown";
      called = args: if args == { } then "<function>" else "<function, args: {${concatStringsSep ", " (lib.mapAttrsToList (name: optional: name + (if optional then "?" else "")) args)}}>";
      text = by: v:
        let lines = map (lib.escape [ "\${" ]) (map (lib.replaceStrings [ "''" ] [ "'''" ]) (filter isString (builtins.split "\n" v))); in
        if !multiline || builtins.length lines < 2 then toJSON' v
        else "''" + "\n${by}  " + concatStringsSep "\n${by}  " (lib.init lines) + (if lib.last lines == "" then "\n${by}''" else "\n${by}  ${lib.last lines}''");
      toJSON' = v: "\"${lib.replaceStrings [ "\\" "\"" "\${" "\n" "\t" "\r" ] [ "\\\\" "\\\"" "\\\${" "\\n" "\\t" "\\r" ] v}\"";
    in
    show indent;

  mkLuaInline = expr: { _type = "lua-inline"; inherit expr; };
}
