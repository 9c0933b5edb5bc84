"""The tables, written by hand: one for each record class of the core, with its columns by the same names.

Strict, nothing null, a default for what a later version adds. A column never changes its meaning: what must differ
gets a new name and a migration (migrations.py). Large columns stand last, so that a scan over the others need not read
them. Bodies of blocks stand apart from their headers, in order of arrival: dropping the oldest then frees whole pages.
"""

VERSION_1 = """
CREATE TABLE meta (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    now REAL NOT NULL DEFAULT 0,
    key_check BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE block (
    n INTEGER NOT NULL PRIMARY KEY,
    log BLOB NOT NULL,
    seq INTEGER NOT NULL,
    id BLOB NOT NULL,
    body_state INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    received_at REAL NOT NULL,
    content BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE (log, seq)
) STRICT;

CREATE TABLE body (
    n INTEGER NOT NULL PRIMARY KEY,
    body BLOB NOT NULL
) STRICT;

CREATE TABLE log (
    log BLOB NOT NULL PRIMARY KEY,
    start INTEGER NOT NULL,
    head INTEGER NOT NULL,
    floor INTEGER NOT NULL,
    frozen_at INTEGER NOT NULL DEFAULT 0,
    adopted BLOB NOT NULL DEFAULT x'',
    ring INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    used_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fork_proof (
    log BLOB NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL,
    content_a BLOB NOT NULL,
    signature_a BLOB NOT NULL,
    content_b BLOB NOT NULL,
    signature_b BLOB NOT NULL,
    replaced INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE refused (
    log BLOB NOT NULL PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE device (
    device BLOB NOT NULL PRIMARY KEY,
    persona BLOB NOT NULL,
    certificate BLOB NOT NULL,
    incarnation BLOB NOT NULL DEFAULT x'',
    revocation BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

CREATE TABLE peer_prekey (
    device BLOB NOT NULL PRIMARY KEY,
    incarnation BLOB NOT NULL,
    block BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hint INTEGER NOT NULL,
    made INTEGER NOT NULL,
    open_until INTEGER NOT NULL,
    public BLOB NOT NULL
) STRICT;

CREATE TABLE prekey (
    block BLOB NOT NULL PRIMARY KEY,
    secret BLOB NOT NULL,
    made_at REAL NOT NULL,
    open_until REAL NOT NULL,
    public BLOB NOT NULL,
    roots BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE ratchet (
    device BLOB NOT NULL,
    root_id BLOB NOT NULL,
    persona BLOB NOT NULL,
    began_at REAL NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (device, root_id)
) STRICT;

CREATE TABLE envelope (
    id BLOB NOT NULL PRIMARY KEY,
    tag BLOB NOT NULL,
    role INTEGER NOT NULL,
    copies INTEGER NOT NULL,
    age INTEGER NOT NULL,
    held_since REAL NOT NULL,
    expires_at REAL NOT NULL,
    giver BLOB NOT NULL DEFAULT x'',
    message BLOB NOT NULL DEFAULT x'',
    data BLOB NOT NULL
) STRICT;

CREATE TABLE handover (
    envelope BLOB NOT NULL,
    taker BLOB NOT NULL,
    proved_at REAL NOT NULL,
    PRIMARY KEY (envelope, taker)
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (
    tag BLOB NOT NULL PRIMARY KEY,
    receipt BLOB NOT NULL,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE seen (
    envelope BLOB NOT NULL PRIMARY KEY,
    until REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE message (
    id BLOB NOT NULL PRIMARY KEY,
    cursor INTEGER NOT NULL,
    outgoing INTEGER NOT NULL,
    peer BLOB NOT NULL,
    device BLOB NOT NULL,
    channel BLOB NOT NULL DEFAULT x'',
    seq INTEGER NOT NULL,
    cls INTEGER NOT NULL,
    sent_at REAL NOT NULL DEFAULT 0,
    received_at REAL NOT NULL DEFAULT 0,
    hops INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    request BLOB NOT NULL DEFAULT x'',
    text BLOB NOT NULL
) STRICT;

CREATE INDEX message_by_cursor ON message (cursor);
CREATE INDEX message_by_peer ON message (peer, cursor) WHERE channel = x'';
CREATE INDEX message_by_channel ON message (channel, cursor) WHERE channel <> x'';
CREATE INDEX message_by_request ON message (request) WHERE request <> x'';

CREATE TABLE state (
    message BLOB NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    witnesses TEXT NOT NULL DEFAULT '[]',
    expires_at REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    changed_at REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
    persona BLOB NOT NULL,
    device BLOB NOT NULL,
    incarnation BLOB NOT NULL,
    sent_seq INTEGER NOT NULL,
    sent_hash BLOB NOT NULL,
    got_seq INTEGER NOT NULL,
    got_hash BLOB NOT NULL,
    gaps TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (persona, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE contact (
    persona BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    verified INTEGER NOT NULL DEFAULT 0,
    blocked INTEGER NOT NULL DEFAULT 0,
    added_at REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE channel (
    channel BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    joined INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE neighbour (
    id BLOB NOT NULL PRIMARY KEY,
    node BLOB NOT NULL,
    exchange BLOB NOT NULL,
    epoch INTEGER NOT NULL,
    counter INTEGER NOT NULL,
    "window" BLOB NOT NULL,
    heard_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""

VERSION_2 = """
ALTER TABLE peer_prekey ADD COLUMN arrived_at REAL NOT NULL DEFAULT 0;
"""

VERSION_3 = """
ALTER TABLE message ADD COLUMN about INTEGER NOT NULL DEFAULT 0;
"""

VERSION_4 = """
ALTER TABLE message ADD COLUMN file BLOB NOT NULL DEFAULT x'';

CREATE INDEX message_by_file ON message (cursor) WHERE file <> x'';

CREATE TABLE file (
    file BLOB NOT NULL PRIMARY KEY,
    size INTEGER NOT NULL,
    role INTEGER NOT NULL,
    used_at REAL NOT NULL,
    hashes BLOB NOT NULL DEFAULT x''
) STRICT;

CREATE TABLE chunk (
    file BLOB NOT NULL,
    number INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (file, number)
) STRICT;
"""
