"""Sensors: WHEN something happened: usage files, approvals, failed runs, notices to deliver. They decide nothing."""
