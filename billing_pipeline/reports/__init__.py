"""Frames in, files out: CSV, workbooks, JSON, and reading them back. No arithmetic on money."""
