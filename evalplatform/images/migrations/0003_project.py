from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("images", "0002_frozen"), ("accounts", "0003_projects")]

    operations = [migrations.RunSQL(sql_file("images", "project"), migrations.RunSQL.noop)]
