"""What an S1G receiver makes of a signal: noise, sensitivity, and the chance that a frame is decoded. All in integers.

Levels are thousandths of a decibel (mdB), powers above 1 mW in the same way (mdBm).

Sensitivity is the standard's (IEEE 802.11-2024, Table 23-35: packet errors below 10 % at 256 octets), or that of chips:
TXW8301 beats it by 7 dB at MCS10, 9 at MCS0, 13 at MCS7, taken as a straight line between, which also gives what is
stated for the MM6108 at 4 MHz MCS2. Both leave the same signal-to-noise ratio to each MCS, as the standard reckons: its
noise is that of 15 dB of noise figure and losses.

Errors fall tenfold with each decibel, near enough, as convolutional codes have it without fading: at m dB above the
sensitivity a share of 1 / (1 + 9^(1 + m)) of 256 octets is lost, and n octets have n / 256 times the exponent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Literal

from meshnode_sim.integers import ONE, log2, power_of_ten, power_of_two

Profile = Literal["standard", "chip"]

NOISE_DENSITY: Final = -174_000  # mdBm in one hertz at 290 K
MARGIN_STANDARD: Final = 15_000  # noise figure 10 dB and 5 dB of losses in the sensitivities of the standard
WIDTH_LOSS: Final = {1: 0, 2: 3_000, 4: 6_000, 8: 9_000, 16: 12_000}  # as the table rounds the doubling of noise
# At 1 MHz, by MCS; each doubling of the width asks 3 dB more.
SENSITIVITY: Final = (-95, -92, -90, -87, -83, -79, -78, -77, -72, -70, -98)
CARRIER_SENSE: Final = {1: -98_000, 2: -92_000, 4: -89_000, 8: -86_000, 16: -83_000}  # start of packet, type 1
REFERENCE_OCTETS: Final = 256

_STEP: Final = 100  # mdB between entries
_LOWEST, _HIGHEST = -6_000, 7_000


def sensitivity(width_mhz: int, mcs: int, profile: Profile) -> int:
    """The level, in mdBm, at which a tenth of 256-octet frames is lost."""
    return SENSITIVITY[mcs] * 1000 + WIDTH_LOSS[width_mhz] - (_gain(mcs) if profile == "chip" else 0)


def noise(width_mhz: int, mcs: int, profile: Profile) -> int:
    """Thermal noise, noise figure and losses, in mdBm, as the sensitivities have it."""
    losses = MARGIN_STANDARD - (_gain(mcs) if profile == "chip" else 0)
    return NOISE_DENSITY + 60_000 + WIDTH_LOSS[width_mhz] + losses


def required(mcs: int) -> int:
    """The signal-to-noise ratio, in mdB, at which a tenth of 256-octet frames is lost; the same at every width."""
    return sensitivity(1, mcs, "standard") - noise(1, mcs, "standard")


def carrier_sense(width_mhz: int, profile: Profile) -> int:
    """From which level on, in mdBm, a node takes the channel for busy: what it must, or what it can decode."""
    return min(CARRIER_SENSE[width_mhz], sensitivity(width_mhz, 0, profile))


def decoded(margin: int, octets: int) -> int:
    """The chance (air/draws.py) that `octets` are decoded at so many mdB above what the MCS requires."""
    if not _LOWEST < margin < _HIGHEST:  # errors below 1e-7, or successes: sparing a draw is worth more
        return ONE if margin >= _HIGHEST else 0
    return _decoded((margin - _LOWEST) // _STEP, octets)


@lru_cache(maxsize=1 << 16)
def _decoded(step: int, octets: int) -> int:
    return power_of_two(-(_exponents()[step] * octets // REFERENCE_OCTETS))


@lru_cache(maxsize=1)
def _exponents() -> tuple[int, ...]:
    """-log2 of the share of 256-octet frames decoded, by margin; in units of 1/ONE."""
    return tuple(_exponent(margin) for margin in range(_LOWEST, _HIGHEST + 1, _STEP))


def _exponent(margin: int) -> int:
    """log2(1 + 9^-(1 + m)), from integers wide enough for both ends."""
    odds = (1000 + margin) * 9_542  # 10,000 log10 9 = 9,542.4 for each decibel
    ratio = power_of_ten(odds // 1000) if odds >= 0 else ONE * ONE // power_of_ten(-odds // 1000)
    return log2((ONE + ratio) << 32) - log2(ratio << 32) if ratio else 64 * ONE


def _gain(mcs: int) -> int:
    """By how much chips beat the standard, in mdB."""
    if mcs == 10:
        return 7_000
    return 9_000 + 4_000 * min(mcs, 7) // 7
