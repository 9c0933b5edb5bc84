"""The channel, pure: airtime, loss, who hears whom. Demo, lab and simulator share it."""
