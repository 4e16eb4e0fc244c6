"""Images answer prompts of their collection's set, and a collection's images never change."""

from django.db import migrations

from evalplatform.core.sql_files import sql_file

DROP = """
DROP TRIGGER collected_prompt_of_its_set ON images_collectedimage;
DROP TRIGGER collected_is_frozen ON images_collectedimage;
DROP TRIGGER collection_is_frozen ON images_imagecollection;
DROP FUNCTION collected_check_prompts();
DROP FUNCTION collected_refuse_change();
"""


class Migration(migrations.Migration):
    dependencies = [("images", "0001_initial")]

    operations = [migrations.RunSQL(sql_file("images", "frozen"), DROP)]
