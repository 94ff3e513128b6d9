"""Migrations of the application's database, oldest first; each can be undone."""
