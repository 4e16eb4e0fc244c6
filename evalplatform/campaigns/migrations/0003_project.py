from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0002_withheld"), ("accounts", "0003_projects")]

    operations = [migrations.RunSQL(sql_file("campaigns", "project"), migrations.RunSQL.noop)]
