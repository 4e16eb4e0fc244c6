from django.db import migrations

from evalplatform.core.sql_files import sql_file

FILES = ("grades", "slots", "votes", "lease", "doors")


class Migration(migrations.Migration):
    dependencies = [("annotation", "0001_initial"), ("campaigns", "0002_withheld")]

    operations = [
        migrations.RunSQL(sql_file("annotation", name), migrations.RunSQL.noop) for name in FILES
    ]
