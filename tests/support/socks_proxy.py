"""A SOCKS5 proxy that wants a name and a password, to test with: `socks_proxy.py PORT NAME PASSWORD`. IPv4 alone."""

import socket
import sys

import trio


async def serve(name: bytes, password: bytes, stream: trio.SocketStream) -> None:
    """One who asks, until both sides are gone."""
    async with stream:
        await stream.receive_some(257)
        await stream.send_all(b"\x05\x02")
        login = b"\x01" + bytes([len(name)]) + name + bytes([len(password)]) + password
        right = await stream.receive_some(600) == login
        await stream.send_all(b"\x01" + bytes([not right]))
        if not right:
            return
        asked = await stream.receive_some(300)
        far = await trio.open_tcp_stream(socket.inet_ntoa(asked[4:8]), int.from_bytes(asked[8:10], "big"))
        await stream.send_all(b"\x05\0\0\x01" + bytes(6))
        async with far, trio.open_nursery() as nursery:
            nursery.start_soon(_carry, stream, far, nursery.cancel_scope)
            nursery.start_soon(_carry, far, stream, nursery.cancel_scope)


async def _carry(one: trio.SocketStream, other: trio.SocketStream, scope: trio.CancelScope) -> None:
    try:
        async for data in one:
            await other.send_all(data)
    except trio.BrokenResourceError:
        pass
    scope.cancel()


async def main(port: str, name: str, password: str) -> None:
    """Until it is killed."""

    async def one(stream: trio.SocketStream) -> None:
        await serve(name.encode(), password.encode(), stream)

    await trio.serve_tcp(one, int(port))


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
