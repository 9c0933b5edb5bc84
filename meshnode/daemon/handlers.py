"""What each request of the control socket does: told to the node as an input, or read from the store.

The same handlers serve a running daemon and a home whose node does not run.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import Final

import msgspec
import trio

from meshnode import config as options
from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.control.server import Streams
from meshnode.daemon import wording
from meshnode.daemon.attachments import Attachments
from meshnode.daemon.backups import Backups
from meshnode.daemon.capture import Capturing
from meshnode.daemon.conversations import Conversations
from meshnode.daemon.desk import Desk
from meshnode.daemon.doctor import check_running
from meshnode.daemon.home import CONFIG
from meshnode.daemon.invites import Invites
from meshnode.daemon.members import Members
from meshnode.daemon.messages import Messages
from meshnode.daemon.parcel_files import ParcelFiles
from meshnode.daemon.people import Channels, Contacts, Devices
from meshnode.daemon.watching import Watching

GOING: Final = 20  # of what goes next: a screenful
LISTED: Final = 500  # of what waits: a carrier may hold tens of thousands of envelopes


def answers(desk: Desk) -> Answers:
    """Who answers which request."""
    parts = (
        Running(desk),
        Invites(desk),
        Contacts(desk),
        Channels(desk),
        Devices(desk),
        Messages(desk),
        Attachments(desk),
        Conversations(desk),
        ParcelFiles(desk),
        Members(desk),
        Backups(desk),
    )
    return {request: answer for part in parts for request, answer in part.answers.items()}


def streams(desk: Desk) -> Streams:
    """Who streams what."""
    return {requests.WatchRequest: Watching(desk).watch, requests.CaptureRequest: Capturing(desk).capture}


class Running:
    """The node itself, its neighbours and peers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.StatusRequest: self._status,
            requests.DoctorRequest: self._doctor,
            requests.StopRequest: self._stop,
            requests.GoingRequest: self._going,
            requests.NeighboursRequest: self._neighbours,
            requests.PeersRequest: self._peers,
            requests.QueueRequest: self._queue,
            requests.PeerAddRequest: self._peer_add,
            requests.PeerRemoveRequest: self._peer_remove,
            requests.PeerListRequest: self._peer_list,
        }

    async def _status(self, request: requests.StatusRequest) -> replies.StatusReply:
        return self._desk.status()

    async def _doctor(self, request: requests.DoctorRequest) -> replies.DoctorReply:
        home = self._desk.me.home
        config = options.load(home / CONFIG)
        status = self._desk.status()
        return replies.DoctorReply(checks=await trio.to_thread.run_sync(check_running, home, config, status))

    async def _stop(self, request: requests.StopRequest) -> replies.DoneReply:
        self._desk.host.stop()
        return replies.DoneReply(text="the node stops")

    async def _going(self, request: requests.GoingRequest) -> replies.GoingReply:
        desk = self._desk
        now, date = desk.host.now, desk.unix_now()
        found = await desk.host.read(lambda reads: reads.next_to_go(now, GOING))
        return replies.GoingReply(going=[wording.going(one, now, date, desk.book) for one in found])

    async def _neighbours(self, request: requests.NeighboursRequest) -> replies.NeighboursReply:
        return replies.NeighboursReply(neighbours=self._desk.status().neighbours)

    async def _peers(self, request: requests.PeersRequest) -> replies.PeersReply:
        sessions = msgspec.convert(self._desk.host.status().get("sessions", []), list[replies.SessionInfo])
        return replies.PeersReply(sessions=sessions, overlay=self._desk.status().overlay.peers)

    async def _queue(self, request: requests.QueueRequest) -> replies.QueueReply:
        first = islice(self._desk.host.queue(), LISTED)
        airtime = self._desk.status().airtime
        backlog_s = max((s for name, s in airtime.items() if name.startswith("backlog_s_")), default=0.0)
        return replies.QueueReply(queue=[replies.QueueItem(**asdict(one)) for one in first], backlog_s=backlog_s)

    async def _peer_add(self, request: requests.PeerAddRequest) -> replies.PeeringsReply:
        text = await self._desk.host.add_peer(request.uri)
        return replies.PeeringsReply(peers=self._desk.status().overlay.peers, text=text)

    async def _peer_remove(self, request: requests.PeerRemoveRequest) -> replies.PeeringsReply:
        await self._desk.host.remove_peer(request.uri)
        return replies.PeeringsReply(
            peers=self._desk.status().overlay.peers, text=f"peering with {request.uri} is forgotten"
        )

    async def _peer_list(self, request: requests.PeerListRequest) -> replies.PeeringsReply:
        return replies.PeeringsReply(peers=self._desk.status().overlay.peers)
