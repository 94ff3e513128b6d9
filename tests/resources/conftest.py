"""Fixtures of the doors to the outside."""

from tests.databases import database
from tests.object_store import bucket, object_store, s3_bucket, s3_server
from tests.postgres import postgres_server, postgres_url

__all__ = ["bucket", "database", "object_store", "postgres_server", "postgres_url", "s3_bucket", "s3_server"]
