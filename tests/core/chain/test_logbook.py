"""All logs: candidates of a handle, the digest, and proofs."""

from __future__ import annotations

from meshnode.core.chain import logbook as module
from meshnode.core.chain.block import compact_of, verify_untrusted
from meshnode.core.chain.fork import Adoption, prove
from meshnode.core.chain.frontier import Element
from meshnode.core.chain.log import Log
from meshnode.core.chain.logbook import Logbook
from meshnode.core.chain.verdict import Verdict
from meshnode.core.ids import LogId, log_handle
from meshnode.errors import SignatureError
from support.chain_fakes import FAST, Writer

KEY = b"k" * 32


def twins(count: int, book: Logbook, handle: bytes) -> list[LogId]:
    """Logs of strangers whose handle was ground to equal another: here simply filed under it."""
    logs = []
    for number in range(count):
        log = LogId(bytes([number + 1]) * 52)
        stranger = Log(log)
        book.logs[log] = stranger
        book._by_handle.setdefault(handle, []).append(stranger)
        logs.append(log)
    return logs


def test_handle_twins_do_not_hide_the_log_of_a_friend() -> None:
    ann = Writer()
    book = Logbook()
    handle = log_handle(ann.log)
    strangers = twins(9, book, handle)
    book.open(ann.log, ring=1)
    found = book.candidates(handle)
    assert len(found) == module.MAX_CANDIDATES == 4
    assert found[0].id == ann.log
    block = ann.write()
    verified = []
    for log in found:
        try:
            verified.append(verify_untrusted(log.id, compact_of(block, elide=False), None, FAST).log)
        except SignatureError:
            assert log.id in strangers
    assert verified == [ann.log]


def test_logs_are_opened_found_and_dropped() -> None:
    ann, bo = Writer("ann"), Writer("bo")
    book = Logbook()
    log = book.open(ann.log, ring=2)
    assert book.open(ann.log) is log
    assert (log.ring, len(book), ann.log in book, bo.log in book) == (2, 1, True, False)
    assert book.get(bo.log) is None
    assert book.candidates(log.handle) == [log]
    assert book.candidates(b"none") == []
    book.open(bo.log)
    twin = twins(1, book, log.handle)[0]
    book.drop(ann.log)
    book.drop(ann.log)
    assert [one.id for one in book.candidates(log.handle)] == [twin]
    book.drop(bo.log)
    assert len(book) == 1


def test_equal_logs_give_equal_digests_whatever_the_order() -> None:
    writers = [Writer(name) for name in "abcdef"]
    blocks = [block for writer in writers for block in writer.post(3)]
    one, other = Logbook(), Logbook()
    for block in blocks:
        one.offer(block)
    for block in reversed(blocks):
        other.offer(block)
    assert one.digest(KEY) == other.digest(KEY)
    assert len(one.digest(KEY)) == 8
    assert one.digest(KEY) != one.__class__().digest(KEY)


def test_the_digest_follows_heads_and_forks_and_nothing_else() -> None:
    ann = Writer()
    one, two, three = ann.post(3)
    book = Logbook()
    seen = [book.digest(KEY)]
    book.open(ann.log)
    assert book.digest(KEY) == seen[0]
    book.offer(three)
    assert book.digest(KEY) == seen[0]
    book.offer(one)
    seen.append(book.digest(KEY))
    assert book.offer(two) is Verdict.NEW
    seen.append(book.digest(KEY))
    clone = ann.fork()
    assert book.convict(prove(ann.write(), clone.write(b"other")))
    seen.append(book.digest(KEY))
    assert not book.convict(prove(ann.blocks[3], clone.blocks[3]))
    assert len(set(seen)) == 4
    assert list(book.frontier()) == [Element(ann.log, 3, True)]


def test_a_proof_alone_is_part_of_the_frontier() -> None:
    ann = Writer()
    clone = ann.fork()
    book = Logbook()
    book.convict(prove(ann.write(), clone.write(b"other")))
    assert list(book.frontier()) == [Element(ann.log, 0, True)]


def test_an_adoption_and_its_settling_change_the_digest() -> None:
    ann = Writer()
    ann.post(2)
    clone = ann.fork()
    ann.post(2)
    clone.write(b"other")
    book = Logbook()
    for block in ann.blocks:
        book.offer(block)
    book.convict(prove(ann.blocks[2], clone.blocks[2]))
    frozen = book.digest(KEY)
    assert book.adopt(Adoption(ann.log, 4, ann.blocks[3].id))
    assert book.settle(ann.log) is None
    assert book.digest(KEY) != frozen
    assert next(book.frontier()).head == 4


def test_proofs_survive_a_restart() -> None:
    ann = Writer()
    clone = ann.fork()
    proof = prove(ann.write(), clone.write(b"other"))
    book = Logbook()
    book.restore_proof(proof, replaced=2)
    log = book.logs[ann.log]
    assert (log.proof, log.replaced, log.frozen_at) == (proof, 2, 1)
