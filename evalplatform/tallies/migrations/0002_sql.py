from django.db import migrations
from django.db.migrations.exceptions import IrreversibleError

from evalplatform.core.sql_files import sql_file


def stay(apps, schema_editor):
    """Going back would leave triggers that write into a table that is gone: no vote could be cast."""
    raise IrreversibleError(
        "tallies.0002_sql is not undone in place: restore the backup from before"
        " (docs/upgrading.md)."
    )


class Migration(migrations.Migration):
    dependencies = [
        ("tallies", "0001_initial"),
        ("annotation", "0002_sql"),
        ("generation", "0001_initial"),
        ("promptsets", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(sql_file("tallies", "tallies"), migrations.RunSQL.noop),
        migrations.RunSQL(sql_file("tallies", "pending"), migrations.RunSQL.noop),
        migrations.RunPython(migrations.RunPython.noop, stay),
    ]
