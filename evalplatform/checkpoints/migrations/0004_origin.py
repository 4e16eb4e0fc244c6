from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkpoints', '0003_upload'),
    ]

    operations = [
        migrations.AddField(
            model_name='checkpoint',
            name='origin',
            field=models.JSONField(blank=True, default=dict, help_text='Where the files came from: hub, commit, variant.'),
        ),
        migrations.AddConstraint(
            model_name='checkpoint',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('origin__has_key', 'hub'), _negated=True), ('origin__has_key', 'commit'), _connector='OR'), name='checkpoint_from_a_hub_has_its_commit'),
        ),
    ]
