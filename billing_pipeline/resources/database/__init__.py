"""The application's database: its tables, how it is opened, and its migrations."""

from billing_pipeline.resources.database import finding_tables
from billing_pipeline.resources.database.connection import (
    Database,
    DatabaseResource,
    current_revision,
    migrate,
    open_database,
    sqlite_url,
)

__all__ = [
    "Database",
    "DatabaseResource",
    "current_revision",
    "finding_tables",  # named here so that its tables belong to the metadata, whoever asks for it
    "migrate",
    "open_database",
    "sqlite_url",
]
