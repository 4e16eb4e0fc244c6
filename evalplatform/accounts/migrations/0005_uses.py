from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("accounts", "0004_audit")]

    operations = [migrations.RunSQL(sql_file("accounts", "projects"), migrations.RunSQL.noop)]
