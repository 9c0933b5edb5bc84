"""What runs an embedded node: connections, listeners, multicast, the TUN, the admin socket."""
