"""What `meshnode doctor` checks: home, store, radio, interface, overlay, clock, disk. One cause, one remedy each.

It runs inside a node, with what the node knows, and beside a home whose node does not run, with what can be seen.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from meshnode import config as options
from meshnode.config import Config
from meshnode.control.replies import CheckInfo, ClockInfo, StatusReply
from meshnode.core.clock import ABOUT_S
from meshnode.daemon.checks_bridge import check_uplink
from meshnode.daemon.checks_kernel import check_kernel
from meshnode.daemon.checks_radio import check_neighbours, check_radio, check_rate
from meshnode.daemon.health import ADVICE, UNKNOWN
from meshnode.daemon.home import CONFIG, STORE, open_home
from meshnode.daemon.keyring import KEY_FILE, SEALED
from meshnode.daemon.walltime import believed, read_system
from meshnode.errors import ConfigError, HomeError, StoreError, StoreFullError, StoreNewerError
from meshnode.peering.interface import read_interface

CHECKED = ("other-mesh", "own_id_heard", "second_copy")  # warnings that have a check of their own
SYS = Path("/sys")
WORN = 80  # per cent of an eMMC's life
NOISE = 10  # datagrams that do not open, before they mean something
SET_CLOCK = "a clock with a battery, a GPS receiver (clock.gpsd, clock.nmea), or an NTP client"
SCARCE = 100_000_000  # bytes free below which a disk is about to be the problem


def check_running(home: Path, config: Config, status: StatusReply) -> list[CheckInfo]:
    """All checks, of a node that runs."""
    interface, overlay = status.interface, status.overlay
    return [
        check_home(home),
        _ok("config", f"{home / CONFIG} is valid"),
        _filled(status.store.bytes, status.store.limit),
        check_interface(interface.name or config.link.interface, interface.state, interface.detail),
        *check_radio(interface.name or config.link.interface, config),
        *check_rate(interface),
        *(check_neighbours(status.neighbours, interface.name) if interface.name else ()),
        check_membership(status),
        check_identity(status),
        _overlay(overlay.backend, overlay.address, overlay.detail),
        *check_uplink(config, status),
        check_clock(status.clock),
        *check_receiver(config),
        check_disk(home),
        *check_kernel(),
        *(
            CheckInfo(name=w.code, state="warn", detail=w.text, remedy=ADVICE.get(w.code, UNKNOWN).remedy)
            for w in status.warnings
            if w.code not in CHECKED
        ),
    ]  # fmt: skip


def check_membership(status: StatusReply) -> CheckInfo:
    """The key of the mesh: who has another one is heard as noise."""
    refused, heard = status.counters.get("datagram_refused", 0), status.interface.counters.get("received", 0)
    if any(warning.code == "other-mesh" for warning in status.warnings):
        return CheckInfo(name="mesh key", state="warn", detail="a node of another mesh, or of another version, is near",
                         remedy="compare `meshnode status` on both: mesh and version must fit")  # fmt: skip
    if refused >= NOISE and refused * 2 > heard:
        return CheckInfo(
            name="mesh key", state="warn", detail=f"{refused:,} of {heard:,} datagrams open with no key of ours",
            remedy="`meshnode mesh invite` on one node and `meshnode mesh join` on the other give both the same secret",
        )  # fmt: skip
    return _ok("mesh key", f"{heard - refused:,} of {heard:,} datagrams open" if heard else "nothing was heard yet")


def check_identity(status: StatusReply) -> CheckInfo:
    """Two nodes with one identity: a home that was copied."""
    for warning in status.warnings:
        if warning.code in ("own_id_heard", "second_copy"):
            return CheckInfo(name="identity", state="fail", detail=warning.text, remedy=ADVICE[warning.code].remedy)
    return _ok("identity", "no other node speaks in our name")


def check_resting(home: Path) -> list[CheckInfo]:
    """All checks, of a home whose node does not run."""
    return list(_resting(home))


def _resting(home: Path) -> Iterator[CheckInfo]:
    found = check_home(home)
    yield found
    if found.state == "fail":
        return
    try:
        config = options.load(home / CONFIG)
    except ConfigError as error:
        yield _fail("config", str(error), f"correct {home / CONFIG}; docs/how-to/configuration.md names every option")
        return
    yield _ok("config", f"{home / CONFIG} is valid")
    keys = check_keys(home)
    yield keys
    if keys.state == "ok":
        yield _store(home)
    yield check_interface(config.link.interface, "")
    yield from check_radio(config.link.interface, config)
    yield _program(config)
    own = believed(read_system(), 0.0)
    yield check_clock(ClockInfo(0.0, own.uncertainty_s, own.source))
    yield from check_receiver(config)
    yield check_disk(home)
    yield from check_kernel()
    yield CheckInfo(name="node", state="warn", detail="no node is running at this home", remedy="meshnode run")


def check_home(home: Path) -> CheckInfo:
    """The directory and its keys: there, and nobody else's business."""
    try:
        if not (home / SEALED).exists():
            return _fail("home", f"there is no home at {home}", f"meshnode init --home {home}")
    except OSError as error:
        return _fail("home", f"{home} cannot be read ({error.strerror})", "run this as the owner of the home")
    for place in (home, home / SEALED, home / KEY_FILE):
        if place.exists() and stat.S_IMODE(place.stat().st_mode) & 0o077:
            return _fail("home", f"{place} can be read by others", f"chmod go= {place}")
    if not os.access(home, os.W_OK):
        return _fail("home", f"{home} cannot be written", "run this as the owner of the home")
    return _ok("home", str(home))


def check_keys(home: Path) -> CheckInfo:
    """The keys open with what is at hand."""
    try:
        with open_home(home, lock=False) as opened:
            return _ok("keys", f"the keys of {opened.name} open")
    except HomeError as error:
        remedy = "put the key file or the passphrase of this home back; without them nobody can open it"
        return _fail("keys", str(error), remedy)


def _store(home: Path) -> CheckInfo:
    """Opens it, which checks its integrity."""
    try:
        with open_home(home) as opened:
            store = opened.open_store()
            used, limit = store.state().used, store.state().limit
            store.close()
    except HomeError as error:
        return _fail("store", str(error), "stop that one, or ask it")
    except StoreNewerError as error:
        return _fail("store", str(error), "update meshnode")
    except StoreFullError as error:
        return _fail("store", str(error), "free disk space, or raise store.limit_mb in config.toml")
    except StoreError as error:
        remedy = f"keep a copy of {home / STORE}, then move it away: neighbours and `meshnode import` fill a new one"
        return _fail("store", str(error), remedy)
    return _filled(used, limit)


def _filled(used: int, limit: int) -> CheckInfo:
    detail = f"{used / 1e6:.1f} of {limit / 1e6:.0f} MB used"
    if used > 0.9 * limit:
        return CheckInfo(name="store", state="warn", detail=detail, remedy="raise store.limit_mb in config.toml")
    return _ok("store", detail)


def check_interface(name: str, state: str, detail: str = "") -> CheckInfo:
    """The bound interface: there and up. `state` is what the node says, empty where none runs; `detail` a modem's."""
    if not name:
        return CheckInfo(
            name="interface", state="warn", detail="no interface is chosen, so there is no link",
            remedy="meshnode run --interface IF, or link.interface in config.toml",
        )  # fmt: skip
    if state == "up":
        return _ok("interface", f"{name} is up")
    if detail:
        return _fail("interface", f"{name} is {state}: {detail}", "its cable, device, speed and network: [modem] in"
                     " config.toml; `dmesg` names the device when it is plugged in")  # fmt: skip
    here = ", ".join(sorted(one for _, one in socket.if_nameindex())) or "none"
    found = read_interface(name)
    if found is not None and found.usable:
        return _ok("interface", f"{name} is up, {found.address}")
    if found is None:
        return _fail("interface", f"there is no interface {name} (there are: {here})",
                     "plug it in, load its driver, or name another with --interface")  # fmt: skip
    if not found.running:
        return _fail("interface", f"{name} is down", f"ip link set {name} up")
    return _fail("interface", f"{name} has no IPv6 link-local address", f"sysctl net.ipv6.conf.{name}.disable_ipv6=0")


def _overlay(backend: str, address: str, detail: str) -> CheckInfo:
    if address:
        return _ok("overlay", f"{backend}, {address}")
    return CheckInfo(
        name="overlay", state="warn" if backend != "none" else "ok", detail=detail or "none: link only",
        remedy="start yggdrasil, or choose --overlay embedded or none" if backend != "none" else "",
    )  # fmt: skip


def _program(config: Config) -> CheckInfo:
    if config.overlay.backend == "none":
        return _ok("overlay", "none: link only")
    if config.overlay.backend != "embedded" and (found := shutil.which(config.overlay.program)):
        return _ok("overlay", f"{found} is there")
    if config.overlay.backend != "system":
        return _ok("overlay", "embedded: a Yggdrasil node of meshnode's own")
    return CheckInfo(name="overlay", state="fail", detail=f"the program {config.overlay.program} is not installed",
                     remedy="install yggdrasil 0.5.12 or newer, or choose --overlay embedded")  # fmt: skip


def check_clock(clock: ClockInfo) -> CheckInfo:
    """The date: whether there is one, how sure it is, and whether the system has another one."""
    off = clock.uncertainty_s or 0.0
    if clock.source == "unknown":
        return CheckInfo(name="clock", state="warn", detail="the date is not known; nothing is lost without one",
                         remedy=SET_CLOCK)  # fmt: skip
    if clock.source == "neighbours" and abs(clock.offset_s or 0.0) > off + ABOUT_S:
        return CheckInfo(name="clock", state="warn", detail="the neighbours agree on another date than the system",
                         remedy=SET_CLOCK)  # fmt: skip
    if off > ABOUT_S:
        return CheckInfo(name="clock", state="warn", detail=f"known from {clock.source}, not sure: it may be off by"
                         f" {off / 3600:.0f} h; dates are shown as \"about\"", remedy=SET_CLOCK)  # fmt: skip
    return _ok("clock", f"known from {clock.source}, within {off:.0f} s")


def check_receiver(config: Config) -> Iterator[CheckInfo]:
    """The serial device of a GPS receiver: there, and ours to read."""
    device = config.clock.nmea
    if device and not config.clock.gpsd and not os.access(device, os.R_OK | os.W_OK):
        why = "may not be used by this account" if Path(device).exists() else "is not there"
        yield _fail("gps", f"{device} {why}", "its name and cable; `adduser meshnode dialout` for the service")


def check_disk(home: Path, sys: Path = SYS) -> CheckInfo:
    """Room on the disk the home is on."""
    free = shutil.disk_usage(home).free
    detail = f"{free / 1e6:,.0f} MB free"
    if free < SCARCE:
        return _fail("disk", detail, "free disk space: a full disk takes no custody of messages")
    if worn := worn_percent(home, sys):
        detail += f", {worn} % of its life used"
        if worn >= WORN:
            return CheckInfo(name="disk", state="warn", detail=detail, remedy="`meshnode backup`, then a new card")
    return _ok("disk", detail)


def worn_percent(home: Path, sys: Path = SYS) -> int:
    """How much of its life the eMMC below a home has used by its own account (EXT_CSD), 0 where it does not say."""
    device = home.stat().st_dev
    block = (sys / "dev" / "block" / f"{os.major(device)}:{os.minor(device)}").resolve()
    for place in (block, block.parent):
        try:
            used = [int(word, 16) for word in (place / "device" / "life_time").read_text().split()]
        except (OSError, ValueError):
            continue
        return max(used, default=0) * 10  # steps of a tenth; 0x0b is beyond the end
    return 0


def _ok(name: str, detail: str) -> CheckInfo:
    return CheckInfo(name=name, state="ok", detail=detail, remedy="")


def _fail(name: str, detail: str, remedy: str) -> CheckInfo:
    return CheckInfo(name=name, state="fail", detail=detail, remedy=remedy)
