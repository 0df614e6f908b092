# `lib.path`: paths as values, and the parts of relative ones.
lib:
let
  inherit (builtins) all elem filter isPath isString length match;

  # The components of a text, or in words why it is no path below another.
  fault = text:
    if !isString text then "the value is ${builtins.typeOf text}, not a string"
    else if text == "" then "the string is empty"
    else if lib.hasPrefix "/" text then "the string '${text}' begins with '/', and so is an absolute path"
    else if elem ".." (lib.splitString "/" text) then "the string '${text}' has '..' in it, which may lead out"
    else null;
  parts = text: filter (part: part != "" && part != ".") (lib.splitString "/" text);
  below = list: if list == [ ] then "./." else "./" + lib.concatStringsSep "/" list;
  valid = who: text: value: let wrong = fault text; in if wrong == null then value else throw "lib.path.${who}: ${toString wrong}";

  names = path: parts (toString path);
  asked = who: path: value: if isPath path then value else throw "lib.path.${who}: this is ${builtins.typeOf path}, not a path";
in
{
  append = path: text: asked "append" path (valid "append" text (path + ("/" + text)));
  hasPrefix = start: path: asked "hasPrefix" start (asked "hasPrefix" path (lib.lists.hasPrefix (names start) (names path)));
  removePrefix = start: path: asked "removePrefix" start (asked "removePrefix" path
    (if lib.lists.hasPrefix (names start) (names path) then below (lib.lists.removePrefix (names start) (names path))
    else throw "lib.path.removePrefix: ${toString start} is no beginning of ${toString path}"));
  splitRoot = path: asked "splitRoot" path { root = /.; subpath = below (names path); };
  hasStorePathPrefix = path: asked "hasStorePathPrefix" path
    (let at = names path; store = parts builtins.storeDir; in
    lib.lists.hasPrefix store at && length at > length store && match "[0-9a-z]{32}-.+" (builtins.elemAt at (length store)) != null);

  subpath = {
    isValid = text: fault text == null;
    join = list: let wrong = filter (text: fault text != null) list; in
      if wrong == [ ] then below (lib.concatMap parts list) else throw "lib.path.subpath.join: ${fault (builtins.head wrong)}";
    components = text: valid "subpath.components" text (parts text);
    normalise = text: valid "subpath.normalise" text (below (parts text));
  };
}
