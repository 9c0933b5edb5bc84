"""Addresses of modelled interfaces, the same in every run."""

from __future__ import annotations


def mac_of(index: int) -> bytes:
    """The address of node `index`: local, and the same in every run."""
    return b"\x02\x00\x00\x00" + (index + 1).to_bytes(2, "big")


def link_local_of(index: int) -> str:
    """What the kernel makes of that address on the interface."""
    return f"fe80::ff:fe00:{index + 1:x}"
