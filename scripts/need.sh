# Sourced, not run: `need COMMAND=PACKAGE …` installs the Debian packages whose commands (or files, where it starts
# with a slash) are not here. One place, so that quickstart.sh, test.sh, the bench and the guest agree on how.
need() {
    local missing=() pair
    for pair in "$@"; do
        case ${pair%%=*} in
            /*) [ -e "${pair%%=*}" ] || missing+=("${pair#*=}") ;;
            *) command -v "${pair%%=*}" >/dev/null 2>&1 || missing+=("${pair#*=}") ;;
        esac
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    echo "== installing ${missing[*]}" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { echo "could not install ${missing[*]}" >&2; return 1; }
}
