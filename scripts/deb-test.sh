#!/bin/sh
# The package on a clean Debian under a real systemd: installed, started, killed, removed, purged; prints what happened.
# Needs root, debootstrap and systemd-nspawn. `make deb-test`; $1 the package, $2 a directory for the root (kept).
set -eu
package=$1
root=${2:-$(mktemp -d)/root}
[ -e "$root/etc/debian_version" ] ||
    debootstrap --variant=minbase --include=python3,systemd,systemd-sysv,udev,iproute2 bookworm "$root" >&2
cp "$package" "$root/root/meshnode.deb"
cat >"$root/root/trial.sh" <<'END'
exec >/root/trial.log 2>&1
say() { printf '\n# %s\n' "$*"; "$@" || echo "exit code $?"; }
export HOME=/root
say dpkg -i /root/meshnode.deb
say meshnode version
say meshnode doctor
say meshnode init --name Ada
say meshnode run
ip link add radio0 type veth peer name far0 && ip link set radio0 up && ip link set far0 up
echo 'MESHNODE_OPTIONS="--interface radio0 --overlay embedded"' >/etc/default/meshnode
say systemd-analyze verify meshnode.service
say systemctl enable --now meshnode
until meshnode status --home /run/meshnode >/dev/null 2>&1 || ! systemctl is-active --quiet meshnode; do sleep 0.5; done
say systemctl show meshnode -p ActiveState -p User -p NRestarts -p StatusText
say meshnode status --home /run/meshnode
say stat -c '%A %U:%G %n' /var/lib/meshnode /run/meshnode /run/meshnode/control.sock
say systemd-analyze security meshnode.service --no-pager | tail -n 1
say kill -9 "$(systemctl show -p MainPID --value meshnode)"
until [ "$(systemctl show -p NRestarts --value meshnode)" -gt 0 ] && meshnode status --home /run/meshnode >/dev/null 2>&1; do
    sleep 0.5
done
say systemctl show meshnode -p ActiveState -p NRestarts
say journalctl -b -u meshnode --no-pager -o cat
say timeout 240 meshnode demo
say dpkg -r meshnode
say systemctl is-active meshnode
say ls -d /usr/lib/meshnode /var/lib/meshnode /etc/default/meshnode
say dpkg -P meshnode
say ls -d /usr/lib/meshnode /var/lib/meshnode /etc/default/meshnode
say id meshnode
systemctl --force --force poweroff
END
cat >"$root/etc/systemd/system/trial.service" <<'END'
[Unit]
After=basic.target
[Service]
ExecStart=/bin/sh /root/trial.sh
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -sf ../trial.service "$root/etc/systemd/system/multi-user.target.wants/trial.service"
rm -f "$root/root/trial.log"
timeout "${PATIENCE_S:-500}" systemd-nspawn -q --register=no --keep-unit --private-network -b -D "$root" >&2 </dev/null || true
cat "$root/root/trial.log"
