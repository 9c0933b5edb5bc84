"""What a radio says about itself, and what follows for payloads."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshnode.core.settings import LinkSettings
from meshnode.peering.radio import RadioFile, RadioState, decode_radio_state, merged


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (RadioState(), LinkSettings()),
        (RadioState(unicast_bps=333_000), LinkSettings(unicast_payload=384, unicast_bps=333_000)),
        (RadioState(unicast_bps=650_000), LinkSettings(unicast_bps=650_000)),
        (RadioState(multicast_bps=300_000), LinkSettings(multicast_payload=384)),
        (RadioState(multicast_bps=300_000, multicast_payload=900), LinkSettings(multicast_payload=900)),
        (RadioState(unicast_bps=0, multicast_bps=-1, unicast_payload=7, multicast_payload=99_999), LinkSettings()),
        (RadioState(multicast=False), LinkSettings(multicast=False)),
    ],
)
def test_rates_decide_what_fits_a_frame(state, expected):
    assert merged(LinkSettings(), state) == expected


def test_a_person_may_ask_for_less_than_the_rate_allows():
    assert merged(LinkSettings(unicast_payload=500), RadioState(unicast_bps=3_000_000)).unicast_payload == 500


@given(st.binary(max_size=100))
def test_a_file_that_makes_no_sense_changes_nothing(data):
    before = RadioState(unicast_bps=5000)
    assert decode_radio_state(data, before) in (before, RadioState()) or b"{" in data


def test_a_file_that_goes_takes_its_word_with_it(tmp_path):
    file = tmp_path / "radio.json"
    radio = RadioFile(file)
    assert radio.settings(LinkSettings()) == LinkSettings()
    file.write_text('{"unicast_bps": 2000000}')
    assert radio.settings(LinkSettings()).unicast_bps == 2_000_000
    file.write_text('{"unicast_bps": 20')
    assert radio.settings(LinkSettings()).unicast_bps == 2_000_000
    file.unlink()
    assert radio.settings(LinkSettings()) == LinkSettings()
