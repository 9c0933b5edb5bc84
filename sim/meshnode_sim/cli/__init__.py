"""The commands of `meshnode-sim`, one file for each or for a few that belong together."""

from meshnode_sim.cli.app import main, run

__all__ = ["main", "run"]
