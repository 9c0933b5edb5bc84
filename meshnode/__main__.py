"""`python -m meshnode` is `meshnode`."""

from meshnode.cli.app import main

if __name__ == "__main__":
    main()
