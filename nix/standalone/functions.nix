# The plain functions of `lib` that declarations use, by the names that nixpkgs gives them.
lib:
let
  inherit (builtins) attrNames concatMap concatStringsSep elem elemAt filter foldl' genList head isAttrs isFunction isList isString length listToAttrs map mapAttrs replaceStrings sort split stringLength substring tail;

  # A text as a list of its characters.
  characters = text: genList (i: substring i 1 text) (stringLength text);
  digits = [ "0" "1" "2" "3" "4" "5" "6" "7" "8" "9" "A" "B" "C" "D" "E" "F" ];
  lower = characters "abcdefghijklmnopqrstuvwxyz";
  upper = characters "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
in
{
  inherit (builtins) add addErrorContext all any attrNames attrValues bitAnd bitOr bitXor catAttrs ceil compareVersions
    concatLists concatMap concatStringsSep deepSeq div elem elemAt filter floor foldl' fromJSON genList genericClosure
    getAttr groupBy hasAttr head intersectAttrs isAttrs isBool isFloat isInt isList isPath isString lessThan length
    listToAttrs map mapAttrs match mul parseDrvName partition pathExists readFile removeAttrs replaceStrings seq sort
    splitVersion stringLength sub substring tail toJSON toString trace tryEval typeOf unsafeDiscardStringContext
    unsafeGetAttrPos zipAttrsWith;

  # Functions
  id = x: x;
  const = x: _: x;
  flip = f: a: b: f b a;
  pipe = foldl' (value: f: f value);
  fix = f: let x = f x; in x;
  isFunction = f: isFunction f || (isAttrs f && f ? __functor);
  functionArgs = f: if isAttrs f then f.__functionArgs or { } else builtins.functionArgs f;
  setFunctionArgs = f: args: { __functor = _: f; __functionArgs = args; };
  toFunction = v: if lib.isFunction v then v else _: v;
  applyIf = condition: f: x: if condition then f x else x;

  # Numbers and comparison
  min = a: b: if a < b then a else b;
  max = a: b: if a > b then a else b;
  mod = a: b: a - b * (a / b);
  boolToString = b: if b then "true" else "false";
  xor = a: b: a != b;
  and = a: b: a && b;
  or = a: b: a || b;
  compare = a: b: if a < b then -1 else if a > b then 1 else 0;
  toHexString = n: if n < 16 then elemAt digits n else lib.toHexString (n / 16) + elemAt digits (lib.mod n 16);
  fromHexString = text: (builtins.fromTOML "n = 0x${lib.removePrefix "0x" (lib.toLower text)}").n;
  toInt = text:
    let number = builtins.tryEval (builtins.fromJSON text); in
    if number.success && builtins.isInt number.value then number.value else throw "'${text}' is not a whole number";
  toIntBase10 = text: lib.toInt (builtins.head (builtins.match "0*([0-9]+)" text));
  versionAtLeast = a: b: builtins.compareVersions a b >= 0;
  versionOlder = a: b: builtins.compareVersions a b < 0;
  version = "standalone";
  trivial = { inherit (lib) id const flip pipe min max mod boolToString toHexString isFunction functionArgs setFunctionArgs importJSON importTOML warn warnIf; release = "26.05"; version = "26.05"; versionSuffix = ""; };

  # Lists
  singleton = x: [ x ];
  optional = condition: value: if condition then [ value ] else [ ];
  optionals = condition: values: if condition then values else [ ];
  toList = x: if isList x then x else [ x ];
  forEach = list: f: map f list;
  foldl = foldl';
  foldr = f: last: list: if list == [ ] then last else f (head list) (lib.foldr f last (tail list));
  fold = lib.foldr;
  imap0 = f: list: genList (i: f i (elemAt list i)) (length list);
  imap1 = f: list: genList (i: f (i + 1) (elemAt list i)) (length list);
  range = first: last: if first > last then [ ] else genList (i: first + i) (last - first + 1);
  replicate = n: x: genList (_: x) n;
  flatten = x: if isList x then concatMap lib.flatten x else [ x ];
  reverseList = list: genList (i: elemAt list (length list - 1 - i)) (length list);
  last = list: elemAt list (length list - 1);
  init = list: lib.take (length list - 1) list;
  take = n: list: genList (elemAt list) (lib.max 0 (lib.min n (length list)));
  drop = n: list: genList (i: elemAt list (i + n)) (lib.max 0 (length list - n));
  sublist = from: n: list: lib.take n (lib.drop from list);
  unique = foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ];
  allUnique = list: length (lib.unique list) == length list;
  remove = x: filter (y: y != x);
  subtractLists = those: filter (x: !elem x those);
  intersectLists = those: filter (x: elem x those);
  count = test: list: length (filter test list);
  findFirst = test: otherwise: list: let found = filter test list; in if found == [ ] then otherwise else head found;
  findSingle = test: none: many: list: let found = filter test list; in if found == [ ] then none else if length found > 1 then many else head found;
  zipListsWith = f: a: b: genList (i: f (elemAt a i) (elemAt b i)) (lib.min (length a) (length b));
  zipLists = lib.zipListsWith (fst: snd: { inherit fst snd; });
  crossLists = f: foldl' (fs: list: concatMap (g: map g list) fs) [ f ];
  sortOn = f: sort (a: b: f a < f b);
  naturalSort = sort (a: b: builtins.compareVersions a b < 0);
  mutuallyExclusive = a: b: lib.intersectLists a b == [ ];

  # Texts
  optionalString = condition: text: if condition then text else "";
  concatStrings = concatStringsSep "";
  concatMapStrings = f: list: concatStringsSep "" (map f list);
  concatMapStringsSep = separator: f: list: concatStringsSep separator (map f list);
  concatImapStrings = f: list: concatStringsSep "" (lib.imap1 f list);
  concatImapStringsSep = separator: f: list: concatStringsSep separator (lib.imap1 f list);
  concatLines = lib.concatMapStrings (line: line + "\n");
  intersperse = separator: list: if length list < 2 then list else [ (head list) ] ++ concatMap (x: [ separator x ]) (tail list);
  replicateString = lib.strings.replicate;
  stringToCharacters = characters;
  hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
  hasSuffix = suffix: text: stringLength text >= stringLength suffix && substring (stringLength text - stringLength suffix) (stringLength suffix) text == suffix;
  hasInfix = infix: text: replaceStrings [ infix ] [ "" ] text != text || infix == "";
  removePrefix = prefix: text: if lib.hasPrefix prefix text then substring (stringLength prefix) (-1) text else text;
  removeSuffix = suffix: text: if lib.hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
  splitString = separator: text: filter isString (split (lib.escapeRegex separator) text);
  toLower = replaceStrings upper lower;
  toUpper = replaceStrings lower upper;
  trim = text: let m = builtins.match "[[:space:]]*(.*[^[:space:]])[[:space:]]*" text; in if m == null then "" else head m;
  fixedWidthString = width: filler: text: if stringLength text >= width then text else lib.fixedWidthString width filler (filler + text);
  fixedWidthNumber = width: number: lib.fixedWidthString width "0" (toString number);
  replaceString = from: to: replaceStrings [ from ] [ to ];
  replaceChars = replaceStrings;
  escape = list: replaceStrings list (map (c: "\\" + c) list);
  escapeRegex = lib.escape (characters "\\[{()^$?*+|.");
  escapeShellArg = value:
    let text = toString value; in
    if builtins.match "[a-zA-Z0-9,._+:@%/-]+" text != null then text else "'${replaceStrings [ "'" ] [ "'\\''" ] text}'";
  escapeShellArgs = concatMapArgs: concatStringsSep " " (map lib.escapeShellArg concatMapArgs);
  escapeNixString = text: lib.escape [ "$" ] (builtins.toJSON text);
  escapeNixIdentifier = text: if builtins.match "[a-zA-Z_][a-zA-Z0-9_'-]*" text != null then text else lib.escapeNixString text;
  isStringLike = x: isString x || builtins.isPath x || (isAttrs x && (x ? outPath || x ? __toString));
  isDerivation = x: isAttrs x && (x.type or null) == "derivation";
  isStorePath = x: lib.isStringLike x && lib.hasPrefix "/nix/store/" (toString x);
  commonPrefixLength = a: b: length (lib.takeWhile (i: substring i 1 a == substring i 1 b) (lib.range 0 (lib.min (stringLength a) (stringLength b) - 1)));
  takeWhile = test: list: if list == [ ] || !test (head list) then [ ] else [ (head list) ] ++ lib.takeWhile test (tail list);
  lowerChars = lower;
  upperChars = upper;
  strings = {
    inherit (lib) concatStrings concatMapStrings concatStringsSep concatMapStringsSep concatLines hasPrefix hasSuffix hasInfix removePrefix
      removeSuffix splitString toLower toUpper trim fixedWidthString fixedWidthNumber escapeShellArg escapeShellArgs optionalString
      stringToCharacters toInt lowerChars upperChars escapeNixString escapeNixIdentifier isStringLike replaceString sanitizeDerivationName;
    replicate = n: text: concatStringsSep "" (lib.replicate n text);
  };
  sanitizeDerivationName = text: lib.concatMapStrings (c: if builtins.match "[a-zA-Z0-9+._?=-]" c != null then c else "-") (characters text);

  # Attribute sets
  optionalAttrs = condition: set: if condition then set else { };
  nameValuePair = name: value: { inherit name value; };
  genAttrs = names: f: listToAttrs (map (name: { inherit name; value = f name; }) names);
  genAttrs' = list: f: listToAttrs (map f list);
  mapAttrs' = f: set: listToAttrs (map (name: f name set.${name}) (attrNames set));
  mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
  attrsToList = lib.mapAttrsToList lib.nameValuePair;
  concatMapAttrs = f: set: foldl' (all: name: all // f name set.${name}) { } (attrNames set);
  filterAttrs = test: set: removeAttrs set (filter (name: !test name set.${name}) (attrNames set));
  foldlAttrs = f: start: set: foldl' (value: name: f value name set.${name}) start (attrNames set);
  mergeAttrsList = foldl' (a: b: a // b) { };
  getAttrs = names: set: lib.genAttrs names (name: set.${name});
  attrByPath = path: otherwise: set:
    if path == [ ] then set else if isAttrs set && set ? ${head path} then lib.attrByPath (tail path) otherwise set.${head path} else otherwise;
  hasAttrByPath = path: set: path == [ ] || (isAttrs set && set ? ${head path} && lib.hasAttrByPath (tail path) set.${head path});
  getAttrFromPath = path: lib.attrByPath path (throw "there is no attribute '${concatStringsSep "." path}'");
  setAttrByPath = path: value: if path == [ ] then value else { ${head path} = lib.setAttrByPath (tail path) value; };
  attrVals = names: set: map (name: set.${name}) names;
  recursiveUpdate = lib.recursiveUpdateUntil (_: a: b: !(isAttrs a && isAttrs b));
  recursiveUpdateUntil = stop:
    let join = path: a: b: a // mapAttrs (name: value: if a ? ${name} && !stop (path ++ [ name ]) a.${name} value then join (path ++ [ name ]) a.${name} value else value) b; in
    join [ ];
  mapAttrsRecursive = lib.mapAttrsRecursiveCond (_: true);
  mapAttrsRecursiveCond = test: f:
    let walk = path: mapAttrs (name: value: if isAttrs value && test value then walk (path ++ [ name ]) value else f (path ++ [ name ]) value); in
    walk [ ];
  collect = test: set: if test set then [ set ] else if isAttrs set then concatMap (lib.collect test) (builtins.attrValues set) else [ ];
  cartesianProduct = sets: foldl' (all: name: concatMap (one: map (value: one // { ${name} = value; }) sets.${name}) all) [ { } ] (attrNames sets);
  zipAttrs = builtins.zipAttrsWith (_: values: values);
  foldAttrs = f: start: sets: mapAttrs (_: lib.foldr f start) (lib.zipAttrs sets);
  updateManyAttrsByPath = updates: set: foldl' (s: u: lib.recursiveUpdate s (lib.setAttrByPath u.path (u.update (lib.getAttrFromPath u.path s)))) set updates;
  invertAttrs = set: listToAttrs (map (name: { name = set.${name}; value = name; }) (attrNames set));
  recurseIntoAttrs = set: set // { recurseForDerivations = true; };
  attrsets = { inherit (lib) attrByPath filterAttrs genAttrs mapAttrs' mapAttrsToList nameValuePair optionalAttrs recursiveUpdate mapAttrsRecursive concatMapAttrs mergeAttrsList; };
  lists = { inherit (lib) range imap0 imap1 optional optionals unique flatten reverseList take drop last findFirst foldl' toList forEach remove; };

  # Packages and files
  getOutput = output: package: if isAttrs package then package.${output} or package else package;
  getBin = lib.getOutput "bin";
  getLib = lib.getOutput "lib";
  getDev = lib.getOutput "dev";
  # A host that isn't NixOS keeps some programs in sbin; a package of the stand-in knows where.
  getExe' = package: name: if isAttrs package && package ? programPath then package.programPath name else "${lib.getBin package}/bin/${name}";
  getExe = package: lib.getExe' package (package.meta.mainProgram or package.pname or package.name);
  getName = x: if isString x then (builtins.parseDrvName x).name else x.pname or (builtins.parseDrvName x.name).name;
  makeBinPath = lib.concatMapStringsSep ":" (package: "${lib.getBin package}/bin");
  makeLibraryPath = lib.concatMapStringsSep ":" (package: "${lib.getLib package}/lib");
  makeSearchPath = sub: lib.concatMapStringsSep ":" (path: "${path}/${sub}");
  importJSON = path: builtins.fromJSON (builtins.readFile path);
  importTOML = path: builtins.fromTOML (builtins.readFile path);
  fileContents = path: lib.removeSuffix "\n" (builtins.readFile path);
  cleanSource = path: path;
  licenses = lib.genAttrs [ "mit" "asl20" "gpl2Only" "gpl3Only" "eupl12" "bsd3" ] (shortName: { inherit shortName; });
  platforms = { linux = [ "x86_64-linux" "aarch64-linux" ]; all = [ "x86_64-linux" "aarch64-linux" ]; };
  maintainers = { };

  # Saying things
  warn = text: builtins.trace "warning: ${text}";
  warnIf = condition: text: if condition then lib.warn text else lib.id;
  throwIf = condition: text: if condition then throw text else lib.id;
  throwIfNot = condition: text: if condition then lib.id else throw text;
  assertMsg = condition: text: condition || throw text;
  traceVal = x: builtins.trace x x;
  traceValSeq = x: builtins.trace (builtins.deepSeq x x) x;

  generators = {
    toJSON = _: builtins.toJSON;
    toKeyValue = _: set: lib.concatLines (lib.mapAttrsToList (name: value: "${name}=${toString value}") set);
    toPretty = _: value: builtins.toJSON value;
  };
}
