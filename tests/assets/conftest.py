"""Fixtures of whole months."""

from tests.object_store import bucket, s3_bucket, s3_server

__all__ = ["bucket", "s3_bucket", "s3_server"]
