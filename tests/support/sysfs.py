"""Trees like /sys, one for each board that can be recognised: what its kernel driver shows, from the fact sheet.

The rows are not made from hardware/: a profile that forgets its driver or ids is found by them.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Shown:
    """One network interface. `ids` is vendor:device on SDIO, vendor:product on USB."""

    interface: str
    driver: str
    bus: str
    compatible: str = ""
    ids: str = ""


MONITOR = Shown("morse0", "morse_spi", "spi", "morse,mm610x-spi")
ONBOARD = Shown("wlan0", "brcmfmac", "sdio", "brcm,bcm4329-fmac", "02d0:a9a6")

BOARDS: dict[str, Shown] = {
    "morse-eval-spi": Shown("wlan1", "morse_spi", "spi", "morse,mm610x-spi"),
    "morse-eval-sdio": Shown("wlan1", "morse_sdio", "sdio", "morse,mm610x", "325b:0306"),
    "morse-driver-defaults": Shown("wlan1", "morse_spi", "spi"),
    "openmanet-mm6108-spi": Shown("wlh0", "morse_spi", "spi", "morse,mm610x-spi"),
    "openmanet-mm6108-sdio": Shown("wlh0", "mm6108_sdio", "sdio", "morse,mm610x", "325b:0306"),
    "openmanet-mm8108-spi": Shown("wlh0", "morse_spi", "spi", "morse,mm810x-spi"),
    "heltec-ht-hc01p-zero2w": Shown("wlan1", "morse_spi", "spi"),
    "morse-halowlink": Shown("wlan0", "morse_sdio", "sdio"),
    "heltec-ht-hd01-v2": Shown("wlan0", "morse_sdio", "sdio", "", "325b:0306"),
    "gateworks-gw16159": Shown("wlan0", "morse_sdio", "sdio", "", "325b:0306"),
    "gateworks-gw16167": Shown("wlan0", "morse_usb", "usb", "", "325b:8100"),
    "gateworks-gw16170": Shown("wlan0", "morse_usb", "usb", "", "325b:8100"),
    "mm8108-usb": Shown("wlan1", "morse_usb", "usb", "", "325b:8100"),
    "mm81x-usb": Shown("wlan1", "mm81x_usb", "usb", "", "325b:8100"),
    "mm81x-sdio": Shown("wlan1", "mm81x_sdio", "sdio"),
    "silex-sx-sdmah": Shown("wlan1", "morse_sdio", "sdio", "", "325b:0306"),
    "alfa-ahpi6108e": Shown("wlan1", "morse_spi", "spi", "morse,mm610x-spi"),
    "alfa-ahpi7292s": Shown("wlan1", "nrc80211", "spi"),
    "silex-sx-newah": Shown("wlan0", "nrc80211", "spi"),
    "teledatics": Shown("wlan0", "nrc80211", "spi"),
    "droidifi-s1g": Shown("wlan1", "nrc80211", "spi"),
    "nrc7394-host": Shown("wlan0", "nrc80211", "spi"),
    "txw8301-sdio": Shown("hg0", "hgic_sdio_wlan", "sdio", "", "a012:4002"),
    "txw8301-usb": Shown("hg0", "hgicf", "usb", "", "a012:4104"),
    "seeed-xiao-halow": Shown("usb0", "cdc_ncm", "usb"),
}


def plug(sys: Path, shown: Shown) -> None:
    """Adds an interface to the tree, as the kernel lays it out: links to driver, bus and device."""
    device = _device(sys, shown)
    _link(device / "driver", sys / "bus" / shown.bus / "drivers" / shown.driver)
    _link(device / "subsystem", sys / "bus" / shown.bus)
    if shown.compatible:
        (device / "of_node").mkdir(exist_ok=True)
        (device / "of_node" / "compatible").write_bytes(shown.compatible.encode() + b"\0")
    net = sys / "class" / "net" / shown.interface
    net.mkdir(parents=True)
    (net / "address").write_text("0c:bf:74:00:00:01\n")
    (net / "type").write_text("803\n" if shown.interface.startswith("morse") else "1\n")
    _link(net / "device", device)


def unplug(sys: Path, interface: str) -> None:
    """Takes the interface out of the tree."""
    net = sys / "class" / "net" / interface
    if (net / "device").exists():
        shutil.rmtree((net / "device").resolve())
    for file in net.iterdir():
        file.unlink()
    net.rmdir()


def add_virtual(sys: Path, interface: str) -> None:
    """An interface without hardware: loopback, veth, bridge."""
    net = sys / "class" / "net" / interface
    net.mkdir(parents=True)
    (net / "type").write_text("772\n")


def _device(sys: Path, shown: Shown) -> Path:
    vendor, _, product = shown.ids.partition(":")
    if shown.bus == "usb":
        whole = sys / "devices" / f"usb-{shown.interface}"
        device = whole / "1-1:1.0"
        device.mkdir(parents=True)
        if vendor:
            (whole / "idVendor").write_text(f"{vendor}\n")
            (whole / "idProduct").write_text(f"{product}\n")
        return device
    device = sys / "devices" / f"{shown.bus}-{shown.interface}"
    device.mkdir(parents=True)
    if shown.bus == "sdio" and vendor:
        (device / "vendor").write_text(f"0x{vendor}\n")
        (device / "device").write_text(f"0x{product}\n")
    return device


def _link(at: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    at.symlink_to(to)
