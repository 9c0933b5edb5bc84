"""What two nodes far apart tell each other: sealed sessions, IPv6 packets in them, requests about a node."""
