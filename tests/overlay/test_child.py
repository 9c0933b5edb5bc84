"""A yggdrasil of our own, without starting one: what it is given, and why it may not be had."""

import json
import os
import re
from pathlib import Path

import pytest

from meshnode.errors import OverlayError
from meshnode.overlay import child
from meshnode.overlay.addresses import address_of
from meshnode.overlay.child import ChildSettings, check_rights, configuration, find_program, socket_place

KEY = json.loads((Path(__file__).parents[1] / "vectors/yggdrasil-addresses.json").read_text())["key"]


def test_the_configuration_binds_multicast_to_one_interface_under_the_password():
    settings = ChildSettings(seed=bytes.fromhex(KEY["seed"]), interface="wlan1.2", password="ab" * 32)
    made = configuration(settings, Path("/r/y.sock"))
    assert made["PrivateKey"] == KEY["private_key"]
    (multicast,) = made["MulticastInterfaces"]
    assert re.fullmatch(multicast["Regex"], "wlan1.2")
    assert not re.fullmatch(multicast["Regex"], "wlan1x2")
    assert multicast["Password"] == "ab" * 32
    assert (made["IfMTU"], made["NodeInfoPrivacy"], made["AdminListen"]) == (1280, True, "unix:///r/y.sock")


def test_without_interface_there_is_no_multicast_and_without_seed_no_key():
    made = configuration(ChildSettings(), Path("/r/y.sock"))
    assert made["MulticastInterfaces"] == []
    assert "PrivateKey" not in made


def test_secrets_do_not_show():
    assert "7777" not in repr(ChildSettings(seed=b"7777" * 8, password="7777"))


def test_the_vector_key_has_the_vector_address():
    assert address_of(bytes.fromhex(KEY["public_key"])) == KEY["address"]


def script(tmp_path, text):
    program = tmp_path / "yggdrasil"
    program.write_text(f"#!/bin/sh\n{text}\n")
    program.chmod(0o755)
    return str(program)


def test_a_program_of_the_right_version_is_taken(tmp_path):
    good = script(tmp_path, "echo 'Build name: yggdrasil'; echo 'Build version: 0.5.12-1'")
    assert find_program(good) == good


@pytest.mark.parametrize("text", ["echo Build version: 0.5.11", "echo Build version: 0.4.99", "echo hello", "exit 1"])
def test_another_program_is_refused(tmp_path, text):
    with pytest.raises(OverlayError, match=r"0\.5\.12"):
        find_program(script(tmp_path, text))


def test_a_program_that_cannot_run_is_one_sentence(tmp_path):
    program = tmp_path / "yggdrasil"
    program.write_bytes(b"\x7fELFnonsense")
    program.chmod(0o755)
    with pytest.raises(OverlayError, match="cannot be run"):
        find_program(str(program))
    with pytest.raises(OverlayError, match="not installed"):
        find_program("no-such-yggdrasil")


def test_without_the_right_to_make_a_tun_it_is_said(monkeypatch):
    monkeypatch.setattr(Path, "read_text", lambda path: "CapEff:\t0000000000000000\n")
    with pytest.raises(OverlayError, match="CAP_NET_ADMIN"):
        check_rights()
    monkeypatch.setattr(Path, "read_text", lambda path: "CapEff:\t0000000000001000\n")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OverlayError, match="tun"):
        check_rights()


def test_the_admin_socket_of_a_deep_home_gets_a_short_path(tmp_path):
    with socket_place(tmp_path / "run") as near:
        assert near == tmp_path / "run/yggdrasil.sock"
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    with socket_place(tmp_path / ("d" * 100)) as short:
        assert len(str(short)) < child.LONGEST_SOCKET
        assert short.parent.stat().st_mode & 0o777 == 0o700
    assert not short.parent.exists()
