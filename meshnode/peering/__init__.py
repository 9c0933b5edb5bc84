"""How nodes reach each other: datagrams on a bound interface, and sessions over TCP."""
