"""Incarnations of devices that are over: what still comes of them says nothing about the device as it is now."""

from __future__ import annotations

from typing import Final

from meshnode.core.context import Context
from meshnode.core.ids import DeviceKey, Incarnation
from meshnode.core.records import FactRecord, RecordKey, Snapshot

MAX_OF_DEVICE: Final = 64  # the last ones: a device may say that it began anew as often as it likes
MAX_DEVICES: Final = 8192
_FACT: Final = "superseded/"


class Superseded:
    """By device, those over longest first."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._over: dict[DeviceKey, dict[Incarnation, None]] = {}

    def restore(self, snapshot: Snapshot) -> None:
        """Go on from the disk."""
        for record in snapshot.records:
            if isinstance(record, FactRecord) and record.name.startswith(_FACT):
                device, incarnation = map(bytes.fromhex, record.name.removeprefix(_FACT).split("/"))
                self._over.setdefault(DeviceKey(device), {})[Incarnation(incarnation)] = None

    def __contains__(self, one: tuple[DeviceKey, Incarnation]) -> bool:
        return one[1] in self._over.get(one[0], ())

    def add(self, device: DeviceKey, incarnation: Incarnation) -> None:
        """This one is over."""
        if (device, incarnation) in self:
            return
        over = self._over.setdefault(device, {})
        over[incarnation] = None
        self._ctx.persist(FactRecord(_name(device, incarnation), b"\1"))
        if len(over) > MAX_OF_DEVICE:
            oldest = next(iter(over))
            del over[oldest]
            self._ctx.forget(RecordKey(FactRecord, (_name(device, oldest),)))
        if len(self._over) > MAX_DEVICES:
            self.forget(next(iter(self._over)))

    def forget(self, device: DeviceKey) -> None:
        """The device is not remembered any more."""
        gone = [_name(device, incarnation) for incarnation in self._over.pop(device, ())]
        if gone:
            self._ctx.forget(*(RecordKey(FactRecord, (name,)) for name in gone))


def _name(device: DeviceKey, incarnation: Incarnation) -> str:
    return f"{_FACT}{device.hex()}/{incarnation.hex()}"
