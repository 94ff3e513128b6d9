"""Unbilled hours: work that was done and not invoiced, by project and kind, aged, alerted once."""
