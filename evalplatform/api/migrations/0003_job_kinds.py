from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("api", "0002_stays")]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("register_checkpoint", "Register a checkpoint"),
                    ("import_collection", "Import an image collection"),
                    ("open_campaign", "Open a campaign"),
                    ("add_arm", "Add an arm to an open campaign"),
                    ("feedback_step", "A step of a feedback loop"),
                    ("make_gold", "Make a campaign's gold"),
                    ("import_votes", "Import votes that were cast elsewhere"),
                    ("import_pool", "Import a pool"),
                ],
                max_length=20,
            ),
        )
    ]
