"""How Alembic reaches the database: over the connection it is given, inside the caller's transaction."""

from alembic import context

from billing_pipeline.resources.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
with context.begin_transaction():
    context.run_migrations()
