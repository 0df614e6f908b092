# Sourced, not run: throw-away Debian systems. To be sourced in the folder of the checkout, inside a mount namespace for `throw_away`.
. scripts/need.sh

# debian DIRECTORY: a minimal bookworm, made by debootstrap where it is missing, with the mirror of this machine.
debian() {
    need debootstrap=debootstrap unshare=util-linux
    mkdir -p "$(dirname "$1")"
    # Two tests may want it at once.
    local lock
    exec {lock}>"$1.lock"
    flock "$lock"
    if [ -e "$1/etc/debian_version" ]; then
        exec {lock}>&-
        return
    fi
    local mirror
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 '/debian/$' || echo http://deb.debian.org/debian/)
    rm -rf "$1.new"
    debootstrap --variant=minbase bookworm "$1.new" "$mirror" >&2
    mv "$1.new" "$1"
    exec {lock}>&-
}

# throw_away FOLDER SYSTEM: FOLDER/root is SYSTEM, with /proc and the devices of this machine; what is changed in it is kept in
# FOLDER/upper, and SYSTEM only read.
throw_away() {
    mkdir -p "$1"/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" "$1/root"
    mount -t proc proc "$1/root/proc"
    mount --rbind /dev "$1/root/dev"
    cp /etc/resolv.conf "$1/root/etc/resolv.conf"
}

# within FOLDER COMMAND…: runs it there, as root and with nothing of this machine's environment.
within() { chroot "$1/root" env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "${@:2}" </dev/null; }
