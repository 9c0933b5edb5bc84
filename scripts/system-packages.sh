#!/bin/sh
# Installs what the tests need beside Python: yggdrasil from the distribution's backports, iproute2, ping,
# systemd-analyze, nftables, iperf3, Chromium.
# Debian 12. Says what it does; does nothing when all is there.
set -eu

missing=""
have() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/sbin/$1" ]; }
have ip || missing="$missing iproute2"
have ping || missing="$missing iputils-ping"
have systemd-analyze || missing="$missing systemd"
have tc || missing="$missing iproute2"
have setpriv || missing="$missing util-linux"
have chromium || missing="$missing chromium fonts-noto-core"
have iperf3 || missing="$missing iperf3"
have nft || missing="$missing nftables"
have yggdrasil || missing="$missing yggdrasil"

if [ "$(id -u)" != 0 ]; then
    echo "The tests use network namespaces, TUN and yggdrasil, which need root. Run: sudo make test" >&2
    exit 1
fi
[ -n "$missing" ] || exit 0

echo "Installing system packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
case "$missing" in
*yggdrasil*)
    if ! apt-cache policy yggdrasil | grep -q backports; then
        # The mirror this machine already uses, with the backports suite beside it.
        site=$(apt-get indextargets --format '$(SITE)|$(CODENAME)' 'Created-By: Packages' |
            grep '|bookworm$' | head -n 1 | cut -d '|' -f 1)
        [ -n "$site" ] || {
            echo "No Debian bookworm mirror is configured; install yggdrasil 0.5.12 or newer by hand" >&2
            exit 1
        }
        echo "deb $site bookworm-backports main" >/etc/apt/sources.list.d/meshnode-backports.list
        apt-get update -qq
    fi
    apt-get install -y -qq --no-install-recommends -t bookworm-backports yggdrasil >/dev/null
    ;;
esac
others=$(printf '%s\n' $missing | grep -v '^yggdrasil$' || true)
[ -z "$others" ] || apt-get install -y -qq --no-install-recommends $others >/dev/null
