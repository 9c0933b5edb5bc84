"""A home that met its own double, or whose store fell back or was lost, goes on as somebody new.

The person and the device stay; incarnation and node keys are drawn anew. What two copies must not both use is erased:
chain keys, prekeys, and envelopes sealed under them (protocol rules 2.6, 11.6). Own messages that nobody has confirmed
are sealed again, in new sessions. The keys are written first: cut off in between, the home is renewed twice, which
harms nobody.
"""

from __future__ import annotations

from dataclasses import replace

from meshnode.core.effects import Forget, Persist
from meshnode.core.identity.keys import with_new_incarnation
from meshnode.core.neighbours.epochs import EPOCH_FACT
from meshnode.core.node import RENEW_FACT
from meshnode.core.records import (
    ROLE_OWN,
    ChannelRecord,
    EnvelopeRecord,
    FactRecord,
    PrekeyRecord,
    RatchetRecord,
    RecordKey,
)
from meshnode.daemon.home import Home, square
from meshnode.store.store import Store


def renewal_is_due(store: Store) -> bool:
    """True if the node asked for it, or if this is not the store that the home's keys were used with."""
    asked = any(fact.value for fact in store.reads.every(FactRecord, "WHERE name = ?", (RENEW_FACT,)))
    return asked or store_is_lost(store)


def store_is_lost(store: Store) -> bool:
    """True for a store that neither `init` nor a node has written to: the one of this home is gone."""
    return not any(store.reads.every(ChannelRecord)) and not any(
        store.reads.every(FactRecord, "WHERE name = ?", (EPOCH_FACT,))
    )


def renew(home: Home, store: Store) -> None:
    """New keys for the home, and nothing in its store that a double may use as well."""
    keys = with_new_incarnation(home.keys, home.sealer, home.entropy)
    home.keep(replace(home.keyring, keys=keys))
    gone = [RecordKey(FactRecord, (RENEW_FACT,))]
    gone += [RecordKey(RatchetRecord, (one.device, one.root_id)) for one in store.reads.every(RatchetRecord)]
    gone += [RecordKey(PrekeyRecord, (one.block,)) for one in store.reads.every(PrekeyRecord)]
    own = store.reads.every(EnvelopeRecord, "WHERE role = ?", (ROLE_OWN,))
    gone += [RecordKey(EnvelopeRecord, (one.id,)) for one in own]
    begun = Persist((square(),)) if store_is_lost(store) else Persist(())
    store.commit([Forget(tuple(gone)), begun], store.now, promise=True)
