"""What a person is told when a namespace cannot be made."""

from __future__ import annotations

import errno

import pytest

from meshnode_sim.holder import explain


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (OSError(errno.EACCES, "denied", "/dev/net/tun"), "chmod 666 /dev/net/tun"),
        (OSError(errno.ENOENT, "missing", "/dev/net/tun"), "modprobe tun"),
        (OSError(errno.ENOSPC, "unshare"), "user.max_user_namespaces"),
        (OSError(errno.EPERM, "unshare"), "kernel.unprivileged_userns_clone"),
        (OSError(errno.EACCES, "denied", "/proc/self/uid_map"), "kernel.apparmor_restrict_unprivileged_userns"),
        (OSError(errno.EINVAL, "unshare"), "could not be made"),
    ],
)
def test_each_refusal_names_its_remedy(error: OSError, remedy: str) -> None:
    assert remedy in explain(error)
    assert "\n" not in explain(error)
