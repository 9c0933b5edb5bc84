"""Every option a person may set: one frozen tree, each field with its bounds and its help.

Numbers of the protocol are not here but beside the frames they govern.
"""

from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from meshnode.core.ids import channel_id
from meshnode.core.settings import BridgeRules, LinkSettings, Settings

Megabytes = Annotated[int, Meta(ge=8, le=1_000_000)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
Payload = Annotated[int, Meta(ge=256, le=1_200)]
BitsPerSecond = Annotated[int, Meta(ge=10_000, le=10_000_000_000)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


def _help(text: str) -> Meta:
    return Meta(description=text)


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table of the file."""


class MeshSection(Section, frozen=True):
    """Which mesh this node is in. The secret of a closed mesh is not here but in the key file."""

    name: Annotated[Name, _help("Name of the mesh. In an open mesh the name is the key: whoever knows it is in.")] = (
        "public"
    )


class NodeSection(Section, frozen=True):
    """What this node does for others, and what it tells them."""

    carry_for_others: Annotated[
        bool, _help("Keep and hand on messages of other people. Switched off, the node serves only its own person.")
    ] = True
    answer_traces: Annotated[bool, _help("Tell a probe (`meshnode trace`) that it passed here.")] = True
    read_receipts: Annotated[bool, _help("Tell senders when their message was read, not only that it arrived.")] = True


class MessagesSection(Section, frozen=True):
    """How far and how long one's own messages travel."""

    copies: Annotated[
        Annotated[int, Meta(ge=1, le=16)],
        _help("How many carriers may take a copy of a message of ordinary class (urgent ones get twice as many)."),
    ] = 8
    lifetime_h: Annotated[
        Annotated[int, Meta(ge=1, le=672)],
        _help("Hours after which an undelivered message is given up; at most 28 days."),
    ] = 336


class StoreSection(Section, frozen=True):
    """How much disk the node may use."""

    limit_mb: Annotated[
        Megabytes,
        _help("Size of the store in megabytes (1,000,000 bytes). Full: strangers' items go first, one's own never."),
    ] = 512


class LinkSection(Section, frozen=True):
    """The bound interface: here, and nowhere else, the node speaks to its neighbours."""

    interface: Annotated[
        str, _help("Network interface to bind to, for example `wlan1`. Empty: the one HaLow interface that is found.")
    ] = ""
    port: Annotated[Port, _help("UDP port of link datagrams, and TCP port of sessions on link-local addresses.")] = (
        21026
    )
    multicast: Annotated[
        bool, _help("Send to the multicast group. Switch off where the driver or the access point filters it.")
    ] = True
    unicast_payload: Annotated[
        Payload, _help("Largest UDP payload in bytes sent to one neighbour; 384 at 1 MHz with MCS 0 or 10.")
    ] = 1_200
    multicast_payload: Annotated[
        Payload, _help("Largest UDP payload in bytes sent to all neighbours; 384 on a 1 MHz primary channel.")
    ] = 1_200
    unicast_bps: Annotated[
        BitsPerSecond, _help("Rate of frames to one neighbour in bit/s, for pacing; a driver that knows better wins.")
    ] = 1_000_000
    multicast_bps: Annotated[
        BitsPerSecond, _help("Rate of multicast frames in bit/s, the basic rate of the channel, for pacing.")
    ] = 300_000


class RadioSection(Section, frozen=True):
    """Where the radio is, and what the law allows it there. Nothing is guessed: without a country no law is known."""

    country: Annotated[
        Annotated[str, Meta(pattern="^([A-Za-z]{2})?$")],
        _help("Two letters of the country the radio is in, for example `DE`. Empty: no law is kept."),
    ] = ""
    plan: Annotated[str, _help("Channel plan, where the country has several (Australia).")] = ""
    band: Annotated[
        str,
        _help("The driver's own band, where it has several for a country: `K1`, `K2`, `840`, `920`, `NCC`."),
    ] = ""
    board: Annotated[
        str,
        _help("Board profile, a name of `hardware/boards`: tells several radios apart, or a USB modem from a card."),
    ] = ""
    fixed_access_point: Annotated[
        bool,
        _help("The radio is a fixed access point, which Europe allows 10 % of the hour; portable nodes have 2.8 %."),
    ] = False
    beacon_interval_tu: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)],
        _help("Interval of the radio's own beacons in units of 1.024 ms, as an access point or a mesh; 0: none."),
    ] = 0
    others_percent: Annotated[
        Annotated[int, Meta(ge=0, le=50)],
        _help("Part of the allowed hour for all others on the interface: Yggdrasil, sessions, a person's own traffic."),
    ] = 20


class ModemSection(Section, frozen=True):
    """A serial HaLow modem that carries datagrams, in place of or beside an interface (Newracom AT firmware)."""

    device: Annotated[
        str, _help("Serial port of the modem, for example `/dev/ttyUSB0`. Empty: none. Needs the extra `hardware`.")
    ] = ""
    speed: Annotated[
        Annotated[int, Meta(ge=9600, le=2_000_000)], _help("Baud; above 115200 the modem asks for RTS/CTS.")
    ] = 115_200
    network: Annotated[str, _help("Name of the HaLow network to join; no comma, quote or question mark in it.")] = ""
    security: Annotated[Literal["open", "wpa2-psk", "wpa3-owe", "wpa3-sae"], _help("How the network is secured.")] = (
        "wpa2-psk"
    )
    password_file: Annotated[str, _help("File with the network's password; its first line is taken.")] = ""
    address: Annotated[str, _help("IPv4 address, mask and gateway as `a/m/g`. Empty: asked by DHCP.")] = ""


class NeighboursSection(Section, frozen=True):
    """Nodes that name each other by address: plain UDP, routed or not, where multicast and discovery are missing."""

    addresses: Annotated[
        tuple[str, ...], _help("Up to 16, for example `192.0.2.7:21028` or `[2001:db8::7]:21028`. Empty: none.")
    ] = ()
    port: Annotated[Port, _help("UDP port of the datagrams from and to them.")] = 21028


class OverlaySection(Section, frozen=True):
    """Yggdrasil: sessions with nodes farther away than one hop."""

    backend: Annotated[
        Literal["auto", "system", "embedded", "none"],
        _help(
            "`system` uses yggdrasil-go: one that runs, or a child of our own. `embedded` is a Yggdrasil node inside"
            " meshnode, which needs no rights. `none` uses the link alone. `auto` takes a yggdrasil that runs, else"
            " `embedded`."
        ),
    ] = "auto"
    admin: Annotated[
        str,
        _help(
            "Admin socket of a running yggdrasil, `unix:///path` or `tcp://127.0.0.1:9001`. Empty: the usual places are"
            " tried, then a child is started."
        ),
    ] = ""
    program: Annotated[str, _help("The yggdrasil program, for a child of our own.")] = "yggdrasil"
    port: Annotated[Port, _help("TCP port of sessions on the overlay address.")] = 21027
    peers: Annotated[
        tuple[str, ...],
        _help("Yggdrasil peerings that are opened, for example `tls://host:port`. `meshnode peer add` adds to them."),
    ] = ()
    listen: Annotated[
        tuple[str, ...],
        _help(
            "Where `embedded`, or a child of our own, takes Yggdrasil peerings, for example `tls://[::]:9001`. Empty:"
            " from neighbours on the link alone."
        ),
    ] = ()


NODES = IPv6Network("200::/8")  # of the overlay
MegabytesADay = Annotated[float, Meta(ge=0, le=1_000_000)]
Span = Annotated[str, Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$")]


class BridgeSection(Section, frozen=True):
    """A node with an uplink: it joins its mesh with another one. docs/how-to/bridge.md"""

    enabled: Annotated[
        bool,
        _help("This node is a bridge: what goes over peerings added by hand is an uplink, and keeps the rules below."),
    ] = False
    far: Annotated[
        tuple[str, ...],
        _help(
            "Overlay addresses of far bridges, for example `200:1234::1`, where both peer with the public Yggdrasil"
            " network. Empty: whoever is peered with directly is the far bridge."
        ),
    ] = ()
    channels: Annotated[tuple[str, ...], _help("Channels whose posts may cross. Empty: all.")] = ()
    classes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=4)], ...],
        _help("Classes that may cross: 1 emergencies, 2 messages, 3 posts, 4 what can wait. Empty: all."),
    ] = ()
    largest_bytes: Annotated[
        Annotated[int, Meta(ge=0, le=1_000_000)],
        _help(
            "Largest message or post that may cross. Below 2,000 no conversation can begin: the first message to"
            " somebody carries keys. 0: no limit."
        ),
    ] = 0
    sent_mb_per_day: Annotated[
        MegabytesADay, _help("Megabytes that may be sent in any 24 hours, with all around them. 0: no limit.")
    ] = 0.0
    received_mb_per_day: Annotated[
        MegabytesADay,
        _help("The same for what is received: then the uplink is shut, for one cannot refuse to receive."),
    ] = 0.0
    hours: Annotated[
        tuple[Span, ...],
        _help("When the uplink may be open, in UTC, for example `22:00-06:00`. Empty: always. Needs a known date."),
    ] = ()

    def rules(self) -> BridgeRules | None:
        """As the core wants them; None where this node is no bridge."""
        if not self.enabled:
            return None
        return BridgeRules(
            channels=frozenset(channel_id(name) for name in self.channels),
            classes=frozenset(self.classes),
            largest=self.largest_bytes,
            sent_per_day=int(self.sent_mb_per_day * 1_000_000),
            received_per_day=int(self.received_mb_per_day * 1_000_000),
            hours=tuple((_minutes(span[:5]), _minutes(span[6:])) for span in self.hours),
            far=self.far_addresses(),
        )

    def far_addresses(self) -> tuple[str, ...]:
        """The far bridges, as addresses are written everywhere."""
        return tuple(str(IPv6Address(address)) for address in self.far)

    def no_address(self) -> str:
        """The first of the far bridges that is no overlay address; empty if all are."""
        return next((address for address in self.far if not _is_node_address(address)), "")


def _is_node_address(text: str) -> bool:
    try:
        return IPv6Address(text) in NODES
    except ValueError:
        return False


def _minutes(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])


class ClockSection(Section, frozen=True):
    """Where the date comes from, beside the clock of the system."""

    gpsd: Annotated[
        Annotated[str, Meta(pattern=r"^(|.+:[0-9]{1,5})$")],
        _help("Ask a GPS receiver through gpsd at this place, usually `127.0.0.1:2947`. Empty: none is asked."),
    ] = ""
    nmea: Annotated[
        Annotated[str, Meta(pattern=r"^(|/.+)$")],
        _help("Without gpsd: the serial device of a GPS receiver, for example `/dev/ttyACM0`. Empty: none is read."),
    ] = ""
    nmea_speed: Annotated[
        Annotated[int, Meta(ge=1200, le=921_600)], _help("Its speed in baud; most use 9600, old ones 4800.")
    ] = 9600


class ControlSection(Section, frozen=True):
    """The local socket on which the commands speak to the node."""

    socket: Annotated[str, _help("Path of the control socket. Empty: `control.sock` in the home.")] = ""
    group: Annotated[str, _help("Group that may use the control socket beside the owner. Empty: the owner alone.")] = ""


class WebSection(Section, frozen=True):
    """The page for phones on the hotspot. It is served to this machine and the hotspot, never to the overlay."""

    enabled: Annotated[bool, _help("Serve the page. Needs the extra `web`.")] = False
    port: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)],
        _help("TCP port of the page; below 1024 it takes a service with that right. 0: any that is free."),
    ] = 8080
    secure_port: Annotated[
        Annotated[int, Meta(ge=0, le=65_535)],
        _help("TCP port of the secure page, where the keeper turned it on. 0: any that is free."),
    ] = 8443
    addresses: Annotated[
        tuple[str, ...],
        _help("Own IP addresses the page is served on: that of the hotspot, and this machine. Never one for all."),
    ] = ("127.0.0.1", "10.43.0.1")
    names: Annotated[
        tuple[str, ...],
        _help("Names under which phones may ask for the page, beside its addresses and `localhost`."),
    ] = ("mesh.home.arpa",)
    origins: Annotated[
        tuple[str, ...],
        _help("Who else may serve the page that was taken along: `https://chat.example.org`, or `file` for a disk."),
    ] = ()
    guests: Annotated[bool, _help("Let guests read and write in public channels, without a profile.")] = True
    sign_up: Annotated[bool, _help("Let everybody on the hotspot make a profile on this box.")] = True
    profiles: Annotated[Annotated[int, Meta(ge=0, le=64)], _help("How many profiles the box takes at most.")] = 32


class JournalSection(Section, frozen=True):
    """A record of everything the node was told, to replay a fault. It holds people's words, sealed like the store."""

    keep: Annotated[bool, _help("Write the journal.")] = False
    limit_mb: Annotated[Megabytes, _help("Size in megabytes after which the oldest part goes.")] = 64


class LogSection(Section, frozen=True):
    """What is written to stderr."""

    level: Annotated[Literal["debug", "info", "warning", "error"], _help("The least grave thing that is written.")] = (
        "info"
    )
    format: Annotated[Literal["auto", "text", "json"], _help("`auto` is text on a terminal and JSON elsewhere.")] = (
        "auto"
    )


class Config(Section, frozen=True):
    """The whole tree."""

    mesh: MeshSection = MeshSection()
    node: NodeSection = NodeSection()
    messages: MessagesSection = MessagesSection()
    store: StoreSection = StoreSection()
    link: LinkSection = LinkSection()
    radio: RadioSection = RadioSection()
    modem: ModemSection = ModemSection()
    neighbours: NeighboursSection = NeighboursSection()
    overlay: OverlaySection = OverlaySection()
    bridge: BridgeSection = BridgeSection()
    clock: ClockSection = ClockSection()
    control: ControlSection = ControlSection()
    web: WebSection = WebSection()
    journal: JournalSection = JournalSection()
    log: LogSection = LogSection()

    def settings(self, *, open_mesh: bool) -> Settings:
        """The part of it that the core wants to know."""
        return Settings(
            open_mesh=open_mesh,
            carry_for_others=self.node.carry_for_others,
            store_limit=self.store.limit_mb * 1_000_000,
            copies=self.messages.copies,
            lifetime_s=self.messages.lifetime_h * 3600,
            answer_traces=self.node.answer_traces,
            read_receipts=self.node.read_receipts,
            bridge=self.bridge.rules(),
        )

    def link_settings(self) -> LinkSettings:
        """What is known about the bound link before its driver was asked."""
        return LinkSettings(
            unicast_payload=self.link.unicast_payload,
            multicast_payload=self.link.multicast_payload,
            unicast_bps=self.link.unicast_bps,
            multicast_bps=self.link.multicast_bps,
            multicast=self.link.multicast,
        )


# msgspec prepares a type at its first use, and where two threads are the first at once it ends the process (seen with
# 0.22 and several homes that were opened together): so the import is the first.
msgspec.json.Decoder(Config)
