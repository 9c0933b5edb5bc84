"""Every exception meshnode raises on purpose, on one page. The docstrings are what a person may read."""

from errno import EDQUOT, ENOSPC
from typing import Final

NO_SPACE: Final = (ENOSPC, EDQUOT)  # of an OSError: there is no room on the disk, or for this account
DISK_FULL: Final = "The disk of this box is full; its keeper can make room."


class MeshnodeError(Exception):
    """Something went wrong; the message is one sentence: what, why, what to do."""


class UsageError(MeshnodeError):
    """A caller broke a contract, or asked for something that cannot be."""


class RefusedError(UsageError):
    """Who asks may not do that: a passphrase that does not fit, too many tries, or something for others alone."""


class NotSignedInError(RefusedError):
    """Nobody is signed in, or not any more."""


class MissingError(UsageError):
    """What is asked for is not there."""


class WireError(MeshnodeError):
    """A peer sent something that is refused: too long, malformed, not canonical, or wrongly sealed."""


class SignatureError(WireError):
    """A signature, seal or proof does not fit its content."""


class LinkError(MeshnodeError):
    """The radio interface or a socket on it cannot be used."""


class ModemRefusedError(LinkError):
    """A serial modem answered a command with an error; `code` is its number, 0 where it gave none."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class ModemSilentError(LinkError):
    """A serial modem did not answer in time."""


class OverlayError(MeshnodeError):
    """Yggdrasil does not answer, or answers with an error."""


class StoreError(MeshnodeError):
    """The store on disk cannot be read or written."""


class StoreFullError(StoreError):
    """The disk, or the limit set for the store, is full."""


class StoreNewerError(StoreError):
    """The store was written by a newer meshnode and is left untouched."""


class HomeError(MeshnodeError):
    """The home directory is missing, damaged, locked by another node, or already set up."""


class HomeBusyError(HomeError):
    """Another meshnode uses the home."""


class ConfigError(MeshnodeError):
    """The configuration file has an error at the place the message names."""


class NotRunningError(MeshnodeError):
    """No node is running at this home."""


class SimulationError(MeshnodeError):
    """A simulated run ended, and something that was expected of it did not come true."""
