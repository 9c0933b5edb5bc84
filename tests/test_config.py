"""Configuration: what is refused, with which words, and that what is written reads back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from meshnode import config
from meshnode.core.ids import channel_id
from meshnode.core.settings import BridgeRules
from meshnode.errors import ConfigError

ONE_LINE = "expected one line of text without control characters"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[mesh]\nname = 3", "config.toml: mesh.name: expected text, got a whole number"),
        ("[mesh]\nnam = 'x'", "config.toml: mesh.nam: there is no such option, did you mean name?"),
        ("[messh]", "config.toml: messh: there is no such option, did you mean mesh?"),
        ("[link]\nport = 99999", "config.toml: link.port: expected a whole number at most 65535"),
        ("[link]\nmulticast = 'yes'", "config.toml: link.multicast: expected true or false, got text"),
        ("[overlay]\nbackend = 'foo'", "config.toml: overlay.backend: expected one of auto, system, embedded, none"),
        ("[overlay]\npeers = [3]", "config.toml: overlay.peers[0]: expected text, got a whole number"),
        ("mesh = 3", "config.toml: mesh: expected a table, got a whole number"),
        ("[mesh]\nname = ''", "config.toml: mesh.name: expected text of length at least 1"),
        ('[mesh]\nname = "val\\nley"', f"config.toml: mesh.name: {ONE_LINE}"),
        ('[mesh]\nname = "\\u009b2J"', f"config.toml: mesh.name: {ONE_LINE}"),
        ('[mesh]\nname = "\\u202ex"', f"config.toml: mesh.name: {ONE_LINE}"),
        (
            '[overlay]\npeers = ["tls://a:1\\u001b[2J"]',
            f"config.toml: overlay.peers: {ONE_LINE}",
        ),
        (f"[mesh]\nname = '{'ä' * 33}'", "config.toml: mesh.name: expected at most 64 bytes of UTF-8"),
        ('[bridge]\nfar = ["1::"]', "config.toml: bridge.far: expected addresses in 200::/8, got 1::"),
        ('[bridge]\nfar = ["x"]', "config.toml: bridge.far: expected addresses in 200::/8, got x"),
        ("x =", "config.toml: Invalid value (at end of document)"),
    ],
)
def test_an_error_names_its_place(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(text.encode())
    assert str(caught.value) == sentence


def test_the_rules_of_a_bridge() -> None:
    assert config.Config().settings(open_mesh=False).bridge is None
    told = config.parse(
        b"[bridge]\nenabled = true\nfar = ['200:0::1']\nchannels = ['square']\nclasses = [1, 2]\nlargest_bytes = 4000\n"
        b"sent_mb_per_day = 1.5\nreceived_mb_per_day = 2\nhours = ['22:00-06:30']"
    )
    assert told.settings(open_mesh=False).bridge == BridgeRules(
        frozenset({channel_id("square")}), frozenset({1, 2}), 4000, 1_500_000, 2_000_000, ((1320, 390),), ("200::1",)
    )


def test_text_that_is_none() -> None:
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        config.parse(b"[mesh]\nname = '\xff'")


def test_a_missing_file_is_the_defaults(tmp_path: Path) -> None:
    assert config.load(tmp_path / "none.toml") == config.Config()


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(tmp_path)


def test_what_is_written_reads_back() -> None:
    chosen = config.parse(
        b"[mesh]\nname = 'Tal \"Nord\" \\u00e4'\n[overlay]\nbackend = 'none'\npeers = ['tls://a:1', 'tcp://b:2']\n"
        b"[journal]\nkeep = true\n[link]\nmulticast = false\nunicast_payload = 384"
    )
    assert config.parse(config.dump(chosen).encode()) == chosen
    assert config.parse(config.dump(config.Config()).encode()) == config.Config()


def test_every_option_has_help() -> None:
    for section, about, options in config.sections():
        assert about, section
        for option in options:
            assert option.help, f"{section}.{option.name}"
            assert option.help.endswith((".", ")")), f"{section}.{option.name}"


def test_the_core_gets_what_it_wants_to_know() -> None:
    chosen = config.parse(
        b"[messages]\nlifetime_h = 2\ncopies = 3\n[store]\nlimit_mb = 9\n[node]\nread_receipts = false"
    )
    settings = chosen.settings(open_mesh=True)
    assert (settings.lifetime_s, settings.copies, settings.store_limit) == (7200, 3, 9_000_000)
    assert settings.open_mesh
    assert not settings.read_receipts


def test_options_are_frozen() -> None:
    with pytest.raises(AttributeError):
        config.Config().mesh.name = "x"  # type: ignore[misc]
    assert msgspec.structs.asdict(config.MeshSection()) == {"name": "public"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", '[mesh]\nname = "b"\n'),
        ("# mine\n", '# mine\n\n[mesh]\nname = "b"\n'),
        ("[mesh]\nname = 'a' # old\n[log]\n", '[mesh]\nname = "b"\n[log]\n'),
        ("[mesh] # here\n# first\nname='a'", '[mesh] # here\nname = "b"\n# first\n'),
        ("[log]\nlevel='info'\n[mesh]", None),
        ("mesh.name = 'a'\n", None),
        ("mesh = {name = 'a'}\n[store]\nlimit_mb = 9\n", None),
        ('[mesh]\nname = """\na"""\n', None),
    ],
)
def test_another_mesh_leaves_the_rest_of_the_text(before: str, after: str | None) -> None:
    changed = config.in_mesh(before, "b")
    assert after is None or changed == after
    wanted = msgspec.structs.replace(config.parse(before.encode()), mesh=config.MeshSection(name="b"))
    assert config.parse(changed.encode()) == wanted


TOGETHER = """
import sys, threading
sys.setswitchinterval(1e-6)
from meshnode import config
gate = threading.Barrier(8)
def first():
    gate.wait()
    config.parse(b"[link]")
threads = [threading.Thread(target=first) for _ in range(8)]
for one in threads: one.start()
for one in threads: one.join()
"""


def test_several_threads_may_read_the_first_configuration_of_a_process() -> None:
    for _ in range(4):  # one in two ended with a segmentation fault
        assert subprocess.run([sys.executable, "-c", TOGETHER], check=False).returncode == 0
