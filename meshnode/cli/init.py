"""`meshnode init`."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from meshnode.cli import say
from meshnode.cli.options import COMMON, Common
from meshnode.errors import UsageError

if TYPE_CHECKING:
    from meshnode.core.sealing.mesh import MeshKeys

PUBLIC = "public"  # the open mesh of whoever names no other


def init(
    *,
    name: Annotated[str, Parameter(help="What others see as my name. Default: the name of this machine.")] = "",
    mesh: Annotated[
        str, Parameter(help="Name of a closed mesh, with a new secret. Default: the open mesh `public`.")
    ] = "",
    mesh_secret_file: Annotated[
        Path | None, Parameter(help="Take the mesh secret from this file: 64 hex digits, or a passphrase.")
    ] = None,
    open: Annotated[bool, Parameter(negative="", help="Make the mesh open: whoever knows its name is in.")] = False,
    passphrase_file: Annotated[
        Path | None, Parameter(help="Seal the keys with the passphrase in this file. Default: a key file, mode 0600.")
    ] = None,
    unless_there: Annotated[
        bool, Parameter(negative="", help="Do nothing where there is a home, for scripts.")
    ] = False,
    common: Common = COMMON,
) -> None:
    """Make a home: keys, configuration, store. It never prompts and never overwrites.

    Example: meshnode init --name Ada
    Example: meshnode init --name Ada --mesh valley --passphrase-file /etc/meshnode/passphrase
    """
    from meshnode.core.identity.invite import contact_uri
    from meshnode.daemon.home import create_home, is_home

    if unless_there and is_home(common.directory):
        say.answer(common, {"home": str(common.directory), "made": False}, [f"home      {common.directory} is there"])
        return
    chosen = name or platform.node().partition(".")[0] or "node"
    keys = _mesh(mesh, mesh_secret_file, open)
    with create_home(common.directory, chosen, keys, passphrase_file=passphrase_file) as home:
        invite = contact_uri(home.keys.persona, home.name)
        data = {
            "home": str(home.path),
            "name": home.name,
            "persona": home.keys.persona.hex(),
            "mesh": keys.name,
            "open_mesh": keys.open,
            "invite": invite,
        }
    say.answer(common, data, _told(data, keys))


def _mesh(name: str, secret_file: Path | None, opened: bool) -> MeshKeys:
    from meshnode.core.identity.invite import check_name
    from meshnode.core.sealing.mesh import closed_mesh, open_mesh
    from meshnode.daemon.entropy import SystemEntropy

    if opened and secret_file:
        raise UsageError("an open mesh has no secret; leave out --open or --mesh-secret-file")
    if secret_file and not name:
        raise UsageError("a mesh secret needs the name of its mesh; add --mesh NAME")
    check_name(name or PUBLIC)
    if opened or not name:
        return open_mesh(name or PUBLIC)
    return closed_mesh(name, _secret(name, secret_file) if secret_file else SystemEntropy().take("mesh", 32))


def _secret(name: str, file: Path) -> bytes:
    from meshnode.core.sealing.mesh import secret_from_passphrase

    try:
        text = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the mesh secret file {file} cannot be read as text ({error})") from error
    if not text:
        raise UsageError(f"the mesh secret file {file} is empty; it holds 64 hex digits, or a passphrase")
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        return secret_from_passphrase(name, text)
    return secret if len(secret) == 32 else secret_from_passphrase(name, text)


def _told(data: dict[str, object], mesh: MeshKeys) -> list[str]:
    kind = "open: whoever knows the name is in" if mesh.open else "closed: `meshnode mesh invite` hands on membership"
    return [
        f"home      {data['home']}",
        f"persona   {data['persona']} ({say.plain(str(data['name']))})",
        f"mesh      {say.plain(mesh.name)} ({kind})",
        f"invite    {data['invite']}",
        "next      meshnode run --interface IF     (with --web it serves a page for phones)",
    ]
