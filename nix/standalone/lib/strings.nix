# `lib.strings`: what is done with texts.
lib:
let
  inherit (builtins) all attrNames concatMap concatStringsSep elem elemAt filter genList head isAttrs isBool isFloat isInt isList isPath isString length listToAttrs match replaceStrings split stringLength substring tail;

  characters = text: genList (i: substring i 1 text) (stringLength text);
  lower = characters "abcdefghijklmnopqrstuvwxyz";
  upper = characters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  hex = characters "0123456789abcdef";
  pairs = concatMap (a: map (b: a + b) hex) hex;
  # Every character of ASCII but NUL, which no text of nix holds, in its order.
  ascii = (builtins.fromJSON "\"${concatStringsSep "" (map (code: "\\u00${code}") (tail (lib.take 128 pairs)))}\"");
  codes = listToAttrs (genList (i: { name = substring i 1 ascii; value = i + 1; }) 127);

  # A text without its ends of whitespace.
  trimmed = pattern: text: let m = match pattern text; in if m == null then "" else head m;

  number = name: decimal: text:
    let
      m = match "[[:space:]]*(-?)(0*)([0-9]+)[[:space:]]*" text;
      # The whole is greedy: what follows the zeros is "0" itself, or begins with another digit.
      zeros = stringLength (elemAt m 1);
    in
    if m == null then throw "${name}: '${text}' is not a whole number"
    else if !decimal && zeros > 0 then throw "${name}: '${text}' begins with a zero: is it octal, or filled up with zeros? lib.toIntBase10 takes it as decimal"
    else let n = builtins.fromJSON (elemAt m 2); in if elemAt m 0 == "-" then -n else n;

  isPosixName = name: isString name && match "[a-zA-Z_][a-zA-Z0-9_]*" name != null;
  unreserved = characters "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
  keywords = [ "assert" "else" "if" "in" "inherit" "let" "or" "rec" "then" "with" ];
  cmakeTypes = [ "BOOL" "FILEPATH" "INTERNAL" "LIST" "PATH" "STRING" ];

  # Rows of the table of distances, each from the one above it.
  distance = a: b:
    let
      wide = stringLength b;
      next = above: i: lib.foldl' (row: j: row ++ [ (lib.foldl' lib.min (elemAt above j + 1) [
        (lib.last row + 1)
        (elemAt above (j - 1) + (if substring (i - 1) 1 a == substring (j - 1) 1 b then 0 else 1))
      ]) ]) [ i ] (lib.range 1 wide);
    in
    lib.last (lib.foldl' next (lib.range 0 wide) (lib.range 1 (stringLength a)));
in
rec {
  inherit (builtins) compareVersions concatStringsSep elem elemAt filter fromJSON genList head isAttrs isInt isList isPath isString match parseDrvName readFile replaceStrings split
    stringLength substring tail toJSON typeOf unsafeDiscardStringContext;
  storeDir = builtins.storeDir;

  # Joining
  join = concatStringsSep;
  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatImapStrings = f: list: concatStringsSep "" (lib.imap1 f list);
  concatImapStringsSep = separator: f: list: concatStringsSep separator (lib.imap1 f list);
  concatMapAttrsStringSep = separator: f: set: concatStringsSep separator (lib.mapAttrsToList f set);
  concatLines = concatMapStrings (line: line + "\n");
  intersperse = separator: list: if list == [ ] then [ ] else tail (concatMap (x: [ separator x ]) list);
  replicate = n: text: concatStringsSep "" (lib.replicate n text);
  optionalString = condition: text: if condition then text else "";
  stringAsChars = f: text: concatMapStrings f (characters text);
  stringToCharacters = characters;

  # Looking
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text: let rest = stringLength text - stringLength suffix; in rest >= 0 && substring rest (-1) text == suffix;
  hasInfix = infix: text: infix == "" || length (split (escapeRegex infix) "${text}") > 1;
  commonPrefixLength = a: b: length (lib.lists.commonPrefix (characters a) (characters b));
  commonSuffixLength = a: b: length (lib.lists.commonPrefix (lib.reverseList (characters a)) (lib.reverseList (characters b)));
  charToInt = c: codes.${c};
  levenshtein = distance;
  levenshteinAtMost = most: a: b: distance a b <= most;

  # Parts
  removePrefix = prefix: text: if hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
  removeSuffix = suffix: text: if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  splitString = separator: text:
    map (lib.addContextFrom text) (filter isString (split (escapeRegex (toString separator)) (toString text)));
  splitStringBy = test: keep: text:
    let
      step = state: i:
        let
          here = substring i 1 text;
          before = if i == 0 then "" else substring (i - 1) 1 text;
        in
        if test before here then { done = state.done ++ [ state.part ]; part = if keep then here else ""; }
        else state // { part = state.part + here; };
      whole = lib.foldl' step { done = [ ]; part = ""; } (genList (i: i) (stringLength text));
    in
    whole.done ++ [ whole.part ];
  trim = trimWith { start = true; end = true; };
  trimWith = { start ? false, end ? false }: text:
    if start && end then trimmed "[[:space:]]*(.*[^[:space:]])[[:space:]]*" text
    else if start then trimmed "[[:space:]]*([^[:space:]].*)" text
    else if end then trimmed "(.*[^[:space:]])[[:space:]]*" text
    else text;
  normalizePath = path: replaceAgain "//" "/" (toString path);
  replaceAgain = from: to: text: let once = replaceStrings [ from ] [ to ] text; in if once == text then text else replaceAgain from to once;
  addContextFrom = from: text: substring 0 0 from + text;

  # Letters
  toLower = replaceStrings upper lower;
  toUpper = replaceStrings lower upper;
  lowerChars = lower;
  upperChars = upper;
  toSentenceCase = text: toUpper (substring 0 1 text) + toLower (substring 1 (-1) text);
  toCamelCase = text:
    let
      isBetween = c: elem c [ "-" "_" " " ];
      words = concatMap (splitStringBy (before: here: elem before lower && elem here upper) true) (splitStringBy (_: isBetween) false text);
    in
    concatStringsSep "" (lib.imap0 (i: word: if i == 0 then toLower word else toSentenceCase word) words);

  # Replacing and quoting
  replaceString = from: to: replaceStrings [ from ] [ to ];
  replaceChars = replaceStrings;
  escape = list: replaceStrings list (map (c: "\\" + c) list);
  escapeC = list: replaceStrings list (map (c: "\\x${elemAt pairs (charToInt c)}") list);
  escapeURL = let others = filter (c: !elem c unreserved) (attrNames codes); in
    replaceStrings others (map (c: "%${toUpper (elemAt pairs codes.${c})}") others);
  escapeXML = replaceStrings [ "\"" "'" "<" ">" "&" ] [ "&quot;" "&apos;" "&lt;" "&gt;" "&amp;" ];
  escapeRegex = escape (characters "\\[{()^$?*+|.");
  escapeShellArg = value:
    let text = toString value; in
    if match "[a-zA-Z0-9,._+:@%/-]+" text != null then text else "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = concatMapStringsSep " " escapeShellArg;
  escapeNixString = text: escape [ "$" ] (builtins.toJSON text);
  escapeNixIdentifier = text: if match "[a-zA-Z_][a-zA-Z0-9_'-]*" text != null && !elem text keywords then text else escapeNixString text;
  isValidPosixName = isPosixName;
  toShellVar = name: value:
    if !isPosixName name then throw "lib.strings.toShellVar: '${name}' is no name of a shell variable"
    else if isAttrs value && !isStringLike value then "declare -A ${name}=(${concatStringsSep " " (lib.mapAttrsToList (key: v: "[${escapeShellArg key}]=${escapeShellArg v}") value)})"
    else if isList value then "declare -a ${name}=(${escapeShellArgs value})"
    else "${name}=${escapeShellArg value}";
  toShellVars = set: concatStringsSep "\n" (lib.mapAttrsToList toShellVar set);
  sanitizeDerivationName = value:
    let
      text = builtins.unsafeDiscardStringContext (toString value);
      kept = concatMapStrings (part: if isList part then "-" else part) (split "[^a-zA-Z0-9+._?=-]+" (head (match "[.]*(.*)" text)));
      short = substring (lib.max 0 (stringLength kept - 207)) (-1) kept;
    in
    if stringLength text <= 207 && match "[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]*" text != null then text
    else if short == "" then "unknown" else short;

  # Numbers
  toInt = number "lib.toInt" false;
  toIntBase10 = number "lib.toIntBase10" true;
  floatToString = n: let text = toString n; in if builtins.fromJSON text == n then text else builtins.trace "warning: ${text} is not exactly the number that was given" text;
  fixedWidthString = width: filler: text:
    let missing = width - stringLength text; in
    if missing < 0 || (missing > 0 && lib.mod missing (stringLength filler) != 0) then
      throw "lib.fixedWidthString: '${text}' can't be filled up with '${filler}' to exactly ${toString width} characters"
    else replicate (if missing == 0 then 0 else missing / stringLength filler) filler + text;
  fixedWidthNumber = width: n: fixedWidthString width "0" (toString n);

  # What a value is
  isStringLike = x: isString x || isPath x || (isAttrs x && (x ? outPath || x ? __toString));
  isConvertibleWithToString = x: x == null || isBool x || isInt x || isFloat x || isStringLike x || (isList x && all isConvertibleWithToString x);
  isStorePath = x: isStringLike x && (let path = toString x; in substring 0 1 path == "/" && builtins.dirOf path == storeDir);

  # Versions and names
  versionOlder = a: b: builtins.compareVersions b a > 0;
  versionAtLeast = a: b: !versionOlder a b;
  getName = x: let named = name: (builtins.parseDrvName name).name; in if isString x then named x else x.pname or (named x.name);
  getVersion = x: let versioned = name: (builtins.parseDrvName name).version; in if isString x then versioned x else x.version or (versioned x.name);
  nameFromURL = url: separator:
    let name = head (splitString separator (lib.last (splitString "/" url))); in
    if name == lib.last (splitString "/" url) then throw "lib.strings.nameFromURL: there is no '${separator}' in the last part of ${url}" else name;

  # Options of programs that build
  cmakeOptionType = type: name: value:
    if elem (toUpper type) cmakeTypes then "-D${name}:${toUpper type}=${value}" else throw "lib.strings.cmakeOptionType: '${type}' is no type of CMake";
  cmakeBool = name: condition: cmakeOptionType "bool" name (toUpper (lib.boolToString condition));
  cmakeFeature = cmakeOptionType "string";
  mesonOption = name: value: "-D${name}=${value}";
  mesonBool = name: condition: mesonOption name (lib.boolToString condition);
  mesonEnable = name: condition: mesonOption name (if condition then "enabled" else "disabled");
  enableFeature = condition: name: "--${if condition then "enable" else "disable"}-${name}";
  enableFeatureAs = condition: name: value: enableFeature condition name + optionalString condition "=${value}";
  withFeature = condition: name: "--with${if condition then "" else "out"}-${name}";
  withFeatureAs = condition: name: value: withFeature condition name + optionalString condition "=${value}";

  # Search paths
  makeSearchPath = below: paths: concatMapStringsSep ":" (path: "${path}/${below}") (filter (path: path != null) paths);
  makeSearchPathOutput = output: below: packages: makeSearchPath below (map (lib.getOutput output) packages);
  makeLibraryPath = makeSearchPathOutput "lib" "lib";
  makeIncludePath = makeSearchPathOutput "dev" "include";
  makeBinPath = makeSearchPathOutput "bin" "bin";
  fileContents = path: removeSuffix "\n" (builtins.readFile path);
}
