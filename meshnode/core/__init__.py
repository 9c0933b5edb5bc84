"""The calculator: protocol state machines with no clock, socket, file, randomness or log."""
