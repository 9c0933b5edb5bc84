"""The local socket: requests, replies and notices, their server and their client."""
