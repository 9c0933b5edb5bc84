"""What may cross an uplink: the rules of a bridge, the bytes of its day, and what they hold back."""
