"""Exports are written down in the audit log."""

from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("exports", "0001_initial"), ("accounts", "0004_audit")]

    operations = [migrations.RunSQL(sql_file("exports", "audit"), migrations.RunSQL.noop)]
