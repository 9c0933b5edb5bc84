"""`python -m meshnode_sim.cli` is `meshnode-sim`."""

from meshnode_sim.cli.app import main

if __name__ == "__main__":
    main()
