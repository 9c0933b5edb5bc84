"""What people see: direct messages, channels, who belongs to whom, and how far each message has come."""
