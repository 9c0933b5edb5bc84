"""What is asked about the secure page: how it stands, the authority to install, and its switch for the keeper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from starlette.responses import Response

from meshnode.web import authority
from meshnode.web.box import Box
from meshnode.web.routes import Asked, Route
from meshnode.web.shapes import SecureState

CERTIFICATE: Final = "application/x-x509-ca-cert"  # phones offer to install what comes as this


class Securing:
    """The switch, and what hangs on it."""

    def __init__(self, box: Box) -> None:
        self._secure = box.secure

    def routes(self) -> Iterator[Route]:
        """Its rows."""
        yield Route("GET", "/secure", "anyone", "Whether there is a secure page, and where.", self.state, SecureState)
        yield Route(
            "GET", "/secure/authority.crt", "anyone", "The certificate that makes it trusted.", self.authority, None,
            media=CERTIFICATE,
        )  # fmt: skip
        yield Route("POST", "/box/secure", "keeper", "Turn the secure page on.", self.turn_on, SecureState)
        yield Route(
            "DELETE", "/box/secure", "keeper", "Turn it off; the key of its authority is erased.", self.turn_off,
            SecureState,
        )  # fmt: skip

    async def state(self, asked: Asked) -> SecureState:
        """As anyone may know it."""
        secure = self._secure
        mark = authority.fingerprint(secure.held) if secure.state == "on" else ""
        return SecureState(state=secure.state, port=secure.port, fingerprint=mark, fits=secure.fits)

    async def authority(self, asked: Asked) -> Response:
        """For a phone to install."""
        named = {"Content-Disposition": 'inline; filename="meshnode.crt"', "Cache-Control": "no-store"}
        return Response(authority.authority_der(self._secure.held), media_type=CERTIFICATE, headers=named)

    async def turn_on(self, asked: Asked) -> SecureState:
        """Again does nothing."""
        await self._secure.turn_on()
        return await self.state(asked)

    async def turn_off(self, asked: Asked) -> SecureState:
        """Phones that come back are sent to the plain page for a while."""
        await self._secure.turn_off()
        return await self.state(asked)
