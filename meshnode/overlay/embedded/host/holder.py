"""Holds a user and network namespace with a TUN in it, so that an overlay needs no rights. Also makes a TUN with them.

As a program it is started with nothing but the standard library, because a user namespace can only be made before there
are threads. It speaks JSON over the SEQPACKET socket whose number is its first argument; the second says what to make:

    it says   {"ready": true} with the TUN's descriptor, or {"error": sentence}, once
    it hears  {"socket": [family, type]}, and answers with a socket made inside, or {"error": sentence}

It ends when the socket closes, and the namespace with it and the programs in it.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, SIOCSIFMTU, SIOCGIFINDEX = 0x8913, 0x8914, 0x8916, 0x8922, 0x8933
IFF_UP = 1
OVERLAY_PREFIX = 7
LARGEST = 4096

libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Makes the namespace, then serves until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    wanted = json.loads(sys.argv[2])
    try:
        enter()
        tun, _ = make_tun(wanted["name"], wanted["address"], wanted["mtu"])
    except OSError as error:
        control.send(json.dumps({"error": explain(error)}).encode())
        return
    socket.send_fds(control, [b'{"ready": true}'], [tun])
    os.close(tun)
    while data := control.recv(LARGEST):
        answer(control, *json.loads(data)["socket"])


def answer(control: socket.socket, family: int, kind: int) -> None:
    """A socket of the namespace."""
    try:
        with socket.socket(family, kind) as made:
            socket.send_fds(control, [b'{"done": true}'], [made.fileno()])
    except OSError as error:
        control.send(json.dumps({"error": str(error)}).encode())


def enter() -> None:
    """Leaves for a new user and network namespace; the user stays who it is."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"{uid} {uid} 1")
    write("/proc/self/gid_map", f"{gid} {gid} 1")
    set_up("lo")
    with contextlib.suppress(OSError):  # so that ping works for who may not open raw sockets
        write("/proc/sys/net/ipv4/ping_group_range", f"{gid} {gid}")


def explain(error: OSError) -> str:
    """One sentence a person can act on."""
    if error.filename == "/dev/net/tun":
        if error.errno in (errno.EACCES, errno.EPERM):
            return "/dev/net/tun is not open to you: `chmod 666 /dev/net/tun` as root (a udev rule keeps it)."
        return "/dev/net/tun is missing: load the kernel module with `modprobe tun` as root."
    if error.errno == errno.ENOSPC:
        return "No user namespace may be made: set the sysctl user.max_user_namespaces above 0."
    if error.errno in (errno.EPERM, errno.EACCES):
        return (
            "This system lets only root make user namespaces: set the sysctl kernel.unprivileged_userns_clone to 1 "
            "(Debian), or kernel.apparmor_restrict_unprivileged_userns to 0 (Ubuntu)."
        )
    return f"The overlay's interface could not be made: {error}."


def make_tun(name: str, address: str, mtu: int) -> tuple[int, str]:
    """A TUN with the node's address, up: its descriptor and its name. `%d` in the name is the first free number."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        given = fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        name = given[:16].rstrip(b"\0").decode()
        with contextlib.suppress(OSError):  # no link-local address: nobody would hear it
            write(f"/proc/sys/net/ipv6/conf/{name}/addr_gen_mode", "1")
        configure(SIOCSIFMTU, name, struct.pack("i", mtu))
        set_up(name)
        add_address(name, address)
    except BaseException:
        os.close(tun)
        raise
    return tun, name


def set_up(name: str) -> None:
    """Switches an interface on."""
    [flags] = struct.unpack_from("H", configure(SIOCGIFFLAGS, name, b""), 16)
    configure(SIOCSIFFLAGS, name, struct.pack("H", flags | IFF_UP))


def add_address(name: str, address: str) -> None:
    """The overlay's address, and with it the route to the whole overlay."""
    [index] = struct.unpack_from("i", configure(SIOCGIFINDEX, name, b""), 16)
    request = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), OVERLAY_PREFIX, index)
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFADDR, request)


def configure(request: int, name: str, value: bytes) -> bytes:
    """One ioctl on one interface."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket, request, struct.pack("16s24s", name.encode(), value))


def write(path: str, text: str) -> None:
    """Writes a kernel file in one go."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


if __name__ == "__main__":
    main()
