"""`config.toml`: what differs from the defaults, read and written.

Unknown names, wrong types and values out of range are refused with the place and the reason.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from meshnode.config.described import as_toml, sections
from meshnode.config.options import Config, MeshSection
from meshnode.config.refusals import worded
from meshnode.core.identity.invite import MAX_NAME, one_line
from meshnode.errors import ConfigError

_MESH_TABLE = re.compile(r"^\[mesh\][^\n]*\n(?P<options>(?:(?!\[).*(?:\n|\Z))*)", re.MULTILINE)
_NAME_LINE = re.compile(r"^name[ \t]*=.*(?:\n|\Z)", re.MULTILINE)


def load(path: Path) -> Config:
    """Read a configuration file; a missing one gives the defaults."""
    return parse(read(path), path.name)


def read(path: Path) -> bytes:
    """What stands in a configuration file; nothing where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its owner and mode") from error


def parse(text: bytes, name: str = "config.toml") -> Config:
    """Decode the text of a configuration file called `name`."""
    try:
        config = msgspec.toml.decode(text, type=Config)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {worded(str(error))}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8 text (byte {error.start})") from error
    except msgspec.DecodeError as error:
        raise ConfigError(f"{name}: {error}") from error
    if place := _not_one_line(config):
        raise ConfigError(f"{name}: {place}: expected one line of text without control characters")
    if stranger := config.bridge.no_address():
        raise ConfigError(f"{name}: bridge.far: expected addresses in 200::/8, got {stranger}")
    if len(config.mesh.name.encode()) > MAX_NAME:
        raise ConfigError(f"{name}: mesh.name: expected at most {MAX_NAME} bytes of UTF-8")
    return config


def _not_one_line(config: Config) -> str:
    """The place of a text that would steer a terminal or break a line, where it is shown or written down."""
    for section in config.__struct_fields__:
        table = getattr(config, section)
        for option in table.__struct_fields__:
            value = getattr(table, option)
            texts = value if isinstance(value, tuple) else (value,)
            if any(isinstance(text, str) and not one_line(text) for text in texts):
                return f"{section}.{option}"
    return ""


def dump(config: Config) -> str:
    """The file that gives `config`: what differs from the defaults, each with its help as a comment."""
    lines = ["# meshnode; every option: meshnode help, or docs/how-to/configuration.md", ""]
    for section, _, options in sections():
        chosen = getattr(config, section)
        changed = [option for option in options if getattr(chosen, option.name) != option.default]
        if changed:
            lines += [f"[{section}]"]
            for option in changed:
                lines += [f"# {option.help}", f"{option.name} = {as_toml(getattr(chosen, option.name))}"]
            lines += [""]
    return "\n".join(lines)


def in_mesh(text: str, name: str) -> str:
    """The text of a configuration with another mesh; what else a person wrote there, comments too, stays as it is."""
    wanted = msgspec.structs.replace(parse(text.encode()), mesh=MeshSection(name=name))
    line = f"name = {as_toml(name)}\n"
    if table := _MESH_TABLE.search(text):
        kept = _NAME_LINE.sub("", table["options"])
        changed = f"{text[: table.start('options')]}{line}{kept}{text[table.end() :]}"
    else:
        changed = f"{text.rstrip()}\n\n[mesh]\n{line}".lstrip()
    try:
        return changed if parse(changed.encode()) == wanted else dump(wanted)
    except ConfigError:
        return dump(wanted)  # the mesh is named in some other way of TOML
