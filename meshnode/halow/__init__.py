"""HaLow radios: found, understood, and what a link over one can carry. Serial modems, too."""
