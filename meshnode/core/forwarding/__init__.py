"""How envelopes travel: within an island at once, across islands in custody, and how receipts clear them away."""
