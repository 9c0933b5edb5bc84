"""Who one is: persona, device and node keys, certificates, invites, and words to read aloud."""
