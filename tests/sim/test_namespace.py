"""The lab's side of the programs that run in its namespaces."""

from __future__ import annotations

import subprocess
import sys

from meshnode_sim.namespace import Child


def test_a_program_that_has_ended_unheard_may_be_killed() -> None:
    """The holder reaps it at once, and says so in a message that may not have been read yet."""
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as program:
        program.wait()
    Child(program.pid).kill()
