"""Handlers about invites: my contact, and membership of the mesh with the secrets it rests on."""

from __future__ import annotations

from meshnode.control import replies, requests
from meshnode.control.server import Handlers as Answers
from meshnode.core.identity.invite import ContactInvite, contact_uri, mesh_uri, read_invite_untrusted
from meshnode.core.sealing.mesh import MeshKeys
from meshnode.daemon.desk import Desk
from meshnode.errors import UsageError


class Invites:
    """My contact, and membership of the mesh."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._membership = desk.me.membership

    @property
    def answers(self) -> Answers:
        """Who answers which request."""
        return {
            requests.InviteRequest: self._invite,
            requests.MeshInviteRequest: self._mesh_invite,
            requests.MeshJoinRequest: self._mesh_join,
            requests.MeshSecretsRequest: self._mesh_secrets,
            requests.MeshRenewRequest: self._mesh_renew,
            requests.MeshUseRequest: self._mesh_use,
            requests.MeshDropRequest: self._mesh_drop,
        }

    async def _invite(self, request: requests.InviteRequest) -> replies.UriReply:
        return replies.UriReply(uri=contact_uri(self._desk.me.keys.persona, self._desk.me.name))

    async def _mesh_invite(self, request: requests.MeshInviteRequest) -> replies.UriReply:
        mesh = self._membership.mesh
        secret = None if mesh.open else mesh.current.secret
        uri = mesh_uri(mesh.name, secret, mesh.current.number, mesh.carried_roots)
        return replies.UriReply(uri=uri, mesh=mesh.name)

    async def _mesh_join(self, request: requests.MeshJoinRequest) -> replies.MeshReply:
        invite = read_invite_untrusted(request.uri)
        if isinstance(invite, ContactInvite):
            raise UsageError(f"this is the contact of {invite.name}, not membership of a mesh; use `contact add`")
        mesh = self._membership.join(invite)
        if invite.early and mesh.current.number != invite.number:
            number = invite.number
            text = f"secret {number} of {mesh.name} is held; when all hold it: meshnode mesh use {number}"
        else:
            opened = " (open: whoever knows the name is in)" if mesh.open else ""
            text = f"member of {mesh.name}{opened}"
        return _told(mesh, text)

    async def _mesh_secrets(self, request: requests.MeshSecretsRequest) -> replies.MeshReply:
        return _told(self._membership.mesh, "")

    async def _mesh_renew(self, request: requests.MeshRenewRequest) -> replies.UriReply:
        invite = self._membership.renew()
        uri = mesh_uri(invite.name, invite.secret, invite.number, invite.roots, early=True)
        return replies.UriReply(uri=uri, mesh=invite.name, number=invite.number)

    async def _mesh_use(self, request: requests.MeshUseRequest) -> replies.MeshReply:
        self._membership.use(request.number)
        return _told(self._membership.mesh, f"secret {request.number} is spoken")

    async def _mesh_drop(self, request: requests.MeshDropRequest) -> replies.MeshReply:
        self._membership.drop(request.number)
        return _told(self._membership.mesh, f"secret {request.number} is no longer understood")


def _told(mesh: MeshKeys, text: str) -> replies.MeshReply:
    held = () if mesh.open else mesh.secrets
    secrets = [replies.SecretInfo(number=one.number, current=one is mesh.current) for one in held]
    return replies.MeshReply(mesh=mesh.name, text=text, secrets=secrets)
