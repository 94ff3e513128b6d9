"""Schedules: WHEN the clock says so. They decide nothing themselves."""
