from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("annotation", "0006_read_prompts")]

    operations = [migrations.RunSQL(sql_file("annotation", "lease"), migrations.RunSQL.noop)]
