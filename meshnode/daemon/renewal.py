"""A home that met its own double, or whose store fell back behind what it had sent, goes on as somebody new.

The person and the device stay; incarnation and node keys are drawn anew. What two copies must not both use is erased:
chain keys, prekeys, and envelopes sealed under them (protocol rules 2.6, 11.6). Own messages that nobody has confirmed
are sealed again, in new sessions. The keys are written first: cut off in between, the home is renewed twice, which
harms nobody.
"""

from __future__ import annotations

from dataclasses import replace

from meshnode.core.effects import Forget
from meshnode.core.identity.keys import with_new_incarnation
from meshnode.core.node import RENEW_FACT
from meshnode.core.records import (
    ROLE_OWN,
    EnvelopeRecord,
    FactRecord,
    PrekeyRecord,
    RatchetRecord,
    RecordKey,
)
from meshnode.daemon.home import Home
from meshnode.store.store import Store


def renewal_is_due(store: Store) -> bool:
    """True if the node asked for it."""
    return any(fact.value for fact in store.reads.every(FactRecord, "WHERE name = ?", (RENEW_FACT,)))


def renew(home: Home, store: Store) -> None:
    """New keys for the home, and nothing in its store that a double may use as well."""
    keys = with_new_incarnation(home.keys, home.sealer, home.entropy)
    home.keep(replace(home.keyring, keys=keys))
    gone = [RecordKey(FactRecord, (RENEW_FACT,))]
    gone += [RecordKey(RatchetRecord, (one.device, one.root_id)) for one in store.reads.every(RatchetRecord)]
    gone += [RecordKey(PrekeyRecord, (one.block,)) for one in store.reads.every(PrekeyRecord)]
    own = store.reads.every(EnvelopeRecord, "WHERE role = ?", (ROLE_OWN,))
    gone += [RecordKey(EnvelopeRecord, (one.id,)) for one in own]
    store.commit([Forget(tuple(gone))], store.now, promise=True)
