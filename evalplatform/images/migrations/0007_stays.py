from django.db import migrations

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):
    dependencies = [("images", "0006_image_import"), ("accounts", "0005_uses")]

    operations = [migrations.RunSQL(sql_file("images", "sent"), migrations.RunSQL.noop)]
