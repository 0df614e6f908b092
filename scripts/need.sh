# Sourced, not run: what the scripts need from the machine, looked at in one place and told in words before anything begins.

# as_root WHY: ends the script where it does not run as root.
as_root() {
    [ "$(id -u)" != 0 ] || return 0
    echo "$0: $1, and so it needs root. Run: sudo $0" >&2
    exit 1
}

# hand_back: what root made in a person's checkout, under sudo say, becomes that person's, who could not build there otherwise.
hand_back() { [ "$(stat -c %u .)" = 0 ] || find . -xdev -user root -exec chown -h --reference=. {} +; }

# sdk: ends the script where there is no .NET SDK that global.json takes. To be called in the folder of global.json.
sdk() {
    local wanted found
    wanted=$(sed -nE 's/.*"version": *"([0-9]+\.[0-9]+)\..*/\1/p' global.json)
    if ! command -v dotnet >/dev/null 2>&1; then
        echo "$0: there is no dotnet on the PATH: install the .NET SDK $wanted (https://dotnet.microsoft.com/download)." >&2
        [ -z "${SUDO_USER:-}" ] || echo "Where $SUDO_USER has it, sudo may not look there. Run: sudo env PATH=\"\$PATH\" $0" >&2
        exit 1
    fi
    # Takes a tenth of a second; it fails where no SDK that is installed is one that global.json takes.
    dotnet --version >/dev/null 2>&1 && return 0
    found=$(dotnet --list-sdks 2>/dev/null | cut -d ' ' -f 1 | paste -sd ' ')
    echo "$0: the .NET SDK $wanted is needed, and here is ${found:-none, only a runtime}. Install it: https://dotnet.microsoft.com/download" >&2
    exit 1
}

# need COMMAND=PACKAGE …: installs the Debian packages whose commands (or files, where it starts with a slash) are not here.
need() {
    local missing=() commands=() pair told
    for pair in "$@"; do
        case ${pair%%=*} in
            /*) [ ! -e "${pair%%=*}" ] || continue ;;
            *) ! command -v "${pair%%=*}" >/dev/null 2>&1 || continue ;;
        esac
        commands+=("${pair%%=*}")
        missing+=("${pair#*=}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "$0: not here: ${commands[*]}. Without apt-get (Debian, Ubuntu) it can't install them: do that your system's way, then run it again." >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "$0: not here: ${commands[*]}. Run: sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        return 1
    fi
    echo "== installing with apt: ${missing[*]}" >&2
    told=$({ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } 2>&1 </dev/null) ||
        { printf '%s\n' "$told" >&2; echo "$0: apt could not install ${missing[*]}: its words are above." >&2; return 1; }
}
