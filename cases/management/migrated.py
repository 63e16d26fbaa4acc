"""Commands that need the tables say so in a sentence, rather than by the database's own error."""

from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor


def need_tables() -> None:
    """Raise CommandError unless every migration has been applied."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CommandError("The database lacks tables of this version; run:  .venv/bin/python manage.py migrate")
