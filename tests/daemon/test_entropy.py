"""The system's randomness keeps to what was asked."""

from __future__ import annotations

from meshnode.daemon.entropy import SystemEntropy


def test_sizes_and_bounds() -> None:
    entropy = SystemEntropy()
    assert len(entropy.take("nonce", 12)) == 12
    assert entropy.take("key", 32) != entropy.take("key", 32)
    draws = [entropy.between("jitter", 0.02, 0.2) for _ in range(1000)]
    assert 0.02 <= min(draws) < 0.05
    assert 0.17 < max(draws) < 0.2
