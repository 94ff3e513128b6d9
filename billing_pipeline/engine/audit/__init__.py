"""The billing audit: what changed in billed work after it was billed, whether it is still so, and what it is worth."""
