#!/bin/sh
# The arm64 package on a Debian of that architecture, under qemu-user: it starts, makes a home, checks itself, and five of
# its nodes pass a message on. Nothing of this machine is changed, so there is no binfmt, and what would start other
# programs is not run: the package's own scripts and systemd (those of amd64 are the same, see deb-test.sh).
# Needs root, debootstrap and qemu-user-static. `make deb-test-arm64`; $1 the package, $2 a directory for the root (kept).
set -eu
package=$1
root=${2:-$(mktemp -d)/root}
qemu=$(command -v qemu-aarch64-static)
if [ ! -e "$root/usr/bin/python3" ]; then
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3 bookworm "$root" >&2
    for one in "$root"/var/cache/apt/archives/*.deb; do dpkg -x "$one" "$root"; done
fi
rm -rf "$root/usr/lib/meshnode" "$root/root/.local"
dpkg -x "$package" "$root"
cp "$qemu" "$root/usr/bin/qemu-aarch64-static"
export root
exec unshare --mount sh -eu -c '
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
for words in version "init --name Ada" doctor demo; do
    printf "\n# meshnode %s\n" "$words"
    # shellcheck disable=SC2086
    timeout "${PATIENCE_S:-600}" chroot "$root" /usr/bin/qemu-aarch64-static -E HOME=/root \
        /usr/lib/meshnode/bin/python -I /usr/bin/meshnode $words
done
'
