"""Two bridges as people run them: peered by command over a wire that is no link, with rules and closed ports."""

import subprocess
import sys
from contextlib import ExitStack

import pytest

from support import netns
from support.uplink import PORT, uplink
from support.ygg_lab import until

pytestmark = [pytest.mark.netns, pytest.mark.soak]

LISTEN = """
import socket, sys
s = socket.socket(socket.AF_INET6); s.bind(("::", 8080)); s.listen(1); print("up", flush=True); s.accept()
"""
KNOCK = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"


def test_two_bridges_carry_words_across_and_show_nothing_else_of_the_box(tmp_path):
    with ExitStack() as stack:
        ada, bo = stack.enter_context(uplink(tmp_path, left=["largest_bytes = 4000"]))
        ada.cli("send", "Bo", "hello over there", "--wait", "delivered", "--timeout", "200")
        bo.cli("post", "square", "to both valleys")
        until(lambda: "to both valleys" in ada.texts(), "the post does not cross")

        ada.cli("post", "square", "x" * 5000)
        until(lambda: "larger than the 4,000 bytes" in ada.cli("queue"), lambda: ada.cli("queue"))
        assert "bridge:" in ada.cli("status")

        wrong = "tcp://192.0.2.1:1"
        until(lambda: "nothing listens there" in bo.cli("peer", "add", wrong), "it does not say what is wrong")

        overlay = ada.status()["overlay"]["address"]
        listener = netns.start(ada.namespace, [sys.executable, "-c", LISTEN], stdout=subprocess.PIPE)
        stack.callback(listener.communicate)
        stack.callback(listener.kill)
        assert listener.stdout.readline() == b"up\n"
        assert bo.inside(sys.executable, "-c", KNOCK, "192.0.2.1", str(PORT)).returncode == 0, "the wire is there"
        inside = [sys.executable, "-m", "meshnode", "--home", str(bo.path), "exec", "--", sys.executable, "-c", KNOCK]
        until(lambda: bo.inside(*inside, overlay, "21027").returncode == 0, "sessions do not come in")
        assert bo.inside(*inside, overlay, "8080").returncode != 0, "and nothing else of the box is seen"
