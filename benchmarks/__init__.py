"""Speed and memory of billing a month, on this machine, beside two yardsticks measured in the same run."""
