"""Holds one node's namespace: a user and network namespace with one TAP interface, and whatever runs inside.

A program of its own, started with nothing but the standard library, because a user namespace can only be made before
there are threads. It speaks JSON over the SEQPACKET socket whose number is its first argument:

    it says   {"ready": true} with the TAP's descriptor, or {"error": sentence}, once
    it hears  {"do": "spawn" | "tap" | "link" | "address" | "route" | "sysctl", ...}, and answers each once
    it says   {"exited": pid, "status": code} whenever a child ends

When the socket closes (the lab ended, in whatever way) it kills all that it started, and their children, and ends.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
from typing import Any, NoReturn

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000
SIOCADDRT, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x890B, 0x8913, 0x8914, 0x8916
SIOCSIFMTU, SIOCSIFHWADDR, SIOCGIFINDEX = 0x8922, 0x8924, 0x8933
IFF_UP, RTF_UP, RTF_GATEWAY, RTF_HOST, ARPHRD_ETHER = 1, 1, 2, 4, 1
LARGEST = 1 << 18

# An address is usable at once (no duplicate detection), and nothing is asked of routers that do not exist.
SYSCTLS = {"disable_ipv6": "0", "accept_dad": "0", "accept_ra": "0", "router_solicitations": "0", "autoconf": "0"}

libc = ctypes.CDLL(None, use_errno=True)
Message = dict[str, Any]


def main() -> None:
    """Makes the namespace, then serves until the socket closes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    settings: Message = json.loads(sys.argv[2])
    try:
        enter(settings["name"])
        tap = make_tap(settings)
    except OSError as error:
        control.send(json.dumps({"error": explain(error)}).encode())
        return
    reply(control, {"ready": True}, tap)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        serve(control, settings)
    finally:
        kill_all()


# -------------------------------------------------------------------- the namespace


def enter(name: str) -> None:
    """Leaves for a new user and network namespace, as its root."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {uid} 1")
    write("/proc/self/gid_map", f"0 {gid} 1")
    for scope in ("all", "default"):
        for key, value in SYSCTLS.items():
            write(f"/proc/sys/net/ipv6/conf/{scope}/{key}", value)
    with contextlib.suppress(OSError):  # cosmetic: the name shows in process lists
        write("/proc/self/comm", f"lab {name}"[:15])
    set_up("lo", up=True)


def explain(error: OSError) -> str:
    """One sentence a person can act on."""
    if error.filename == "/dev/net/tun":
        if error.errno == errno.EACCES:
            return "/dev/net/tun is not open to you: `chmod 666 /dev/net/tun` as root (a udev rule keeps it)"
        return "/dev/net/tun is missing: load the kernel module with `modprobe tun` as root"
    if error.errno == errno.ENOSPC:
        return "no user namespace may be made: set the sysctl user.max_user_namespaces above 0"
    if error.errno in (errno.EPERM, errno.EACCES):
        return (
            "this system lets only root make user namespaces: set the sysctl kernel.unprivileged_userns_clone to 1 "
            "(Debian), or kernel.apparmor_restrict_unprivileged_userns to 0 (Ubuntu)"
        )
    return f"the namespace could not be made: {error}"


def make_tap(settings: Message) -> int:
    """The node's radio interface, up; the descriptor is its other side."""
    name, mac = settings["interface"], bytes.fromhex(settings["mac"])
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    configure(SIOCSIFHWADDR, name, struct.pack("H6s", ARPHRD_ETHER, mac))
    configure(SIOCSIFMTU, name, struct.pack("i", settings["mtu"]))
    set_up(name, up=True)
    return tap


def set_up(name: str, *, up: bool) -> None:
    """Switches an interface on or off."""
    [flags] = struct.unpack_from("H", configure(SIOCGIFFLAGS, name, b""), 16)
    configure(SIOCSIFFLAGS, name, struct.pack("H", flags | IFF_UP if up else flags & ~IFF_UP))


def configure(request: int, name: str, value: bytes) -> bytes:
    """One ioctl on one interface."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        return fcntl.ioctl(any_socket, request, struct.pack("16s24s", name.encode(), value))


def add_address(name: str, address: str, prefix: int) -> None:
    """One more IPv6 address."""
    request = struct.pack("16sIi", socket.inet_pton(socket.AF_INET6, address), prefix, index_of(name))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFADDR, request)


def add_route(name: str, to: str, via: str) -> None:
    """A static route to one address by way of a neighbour."""
    target, gateway = (socket.inet_pton(socket.AF_INET6, address) for address in (to, via))
    flags = RTF_UP | RTF_HOST | (RTF_GATEWAY if to != via else 0)
    request = struct.pack("16s16s16sIHHILIi", target, bytes(16), gateway, 0, 128, 0, 1, 0, flags, index_of(name))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCADDRT, request)


def index_of(name: str) -> int:
    """The kernel's number of an interface."""
    [index] = struct.unpack_from("i", configure(SIOCGIFINDEX, name, b""), 16)
    return int(index)


def write(path: str, text: str) -> None:
    """Writes a kernel file in one go."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


# -------------------------------------------------------------------- requests


def serve(control: socket.socket, settings: Message) -> None:
    """Answers requests and reports ends until the lab is gone."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        readable, _, _ = select.select([control.fileno(), wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            report_ends(control)
        if control.fileno() in readable:
            data, fds, _, _ = socket.recv_fds(control, LARGEST, 3)
            if not data:
                return
            answer(control, settings, json.loads(data), fds)


def answer(control: socket.socket, settings: Message, request: Message, fds: list[int]) -> None:
    """Does what is asked and says so, or why not."""
    interface, tap = settings["interface"], None
    result: Message = {"done": True}
    try:
        match request["do"]:
            case "spawn":
                result = {"spawned": spawn(request, fds)}
            case "tap":
                tap = make_tap(settings)
            case "link":
                set_up(interface, up=request["up"])
            case "address":
                add_address(interface, request["address"], request["prefix"])
            case "route":
                add_route(interface, request["to"], request["via"])
            case "sysctl":
                write(f"/proc/sys/{request['key']}", request["value"])
    except OSError as error:
        result = {"error": str(error)}
    for fd in fds:
        os.close(fd)
    reply(control, result, tap)


def reply(control: socket.socket, message: Message, fd: "int | None" = None) -> None:
    """Sends one message, and hands over a descriptor with it."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the lab is gone: serve will see it
        socket.send_fds(control, [json.dumps(message).encode()], [] if fd is None else [fd])
    if fd is not None:
        os.close(fd)


def report_ends(control: socket.socket) -> None:
    """Tells of every child that ended, adopted ones too."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        reply(control, {"exited": pid, "status": os.waitstatus_to_exitcode(status)})


# -------------------------------------------------------------------- children


def spawn(request: Message, fds: list[int]) -> int:
    """Starts a program inside; it dies with this one."""
    pid = os.fork()
    if pid == 0:
        become(request, fds)
    return pid


def become(request: Message, fds: list[int]) -> NoReturn:
    """In the child: standard descriptors, then the program. An exec that fails says why on its own stderr."""
    try:
        os.setsid()
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        os.closerange(3, 1024)
        os.chdir(request["cwd"])
        os.execvpe(request["argv"][0], request["argv"], request["env"])
    except OSError as error:
        os.write(2, f"{request['argv'][0]} could not be started: {error}\n".encode())
    os._exit(127)


def kill_all() -> None:
    """Kills all descendants: orphans are handed to us, so a few rounds find everyone."""
    while children := descendants():
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def descendants() -> list[int]:
    """The processes whose parent is this one, living or waiting to be reaped."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
            if int(stat.read().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(entry))
    return found


if __name__ == "__main__":
    main()
