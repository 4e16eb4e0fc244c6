"""What is known of a sample's image and of how its prompt was read."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('checkpoints', '0005_retirement'),
        ('generation', '0004_safety_check'),
        ('promptsets', '0001_initial'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='sample',
            name='sample_ready_has_image',
        ),
        migrations.AddField(
            model_name='sample',
            name='is_constant',
            field=models.BooleanField(default=False, help_text='Whether it is of one colour.'),
        ),
        migrations.AddField(
            model_name='sample',
            name='pixels_sha256',
            field=models.CharField(blank=True, help_text='Of size and RGB values: equal where images are.', max_length=64),
        ),
        migrations.AddField(
            model_name='sample',
            name='prompt_tokens',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='sample',
            name='tokens_read',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        # Of images made before, the file's hash is what there is.
        migrations.RunSQL(
            "UPDATE generation_sample SET pixels_sha256 = image_sha256 WHERE status = 'ready'",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name='sample',
            constraint=models.CheckConstraint(condition=models.Q(('status', 'planned'), models.Q(models.Q(('image', ''), _negated=True), ('image_sha256__regex', '^[0-9a-f]{64}$'), ('pixels_sha256__regex', '^[0-9a-f]{64}$'), ('width__gte', 1)), _connector='OR'), name='sample_ready_has_image'),
        ),
        migrations.AddConstraint(
            model_name='sample',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('prompt_tokens', None), ('tokens_read', None)), models.Q(('prompt_tokens__isnull', False), ('tokens_read__isnull', False), ('tokens_read__lte', models.F('prompt_tokens'))), _connector='OR'), name='sample_reads_no_more_than_there_is'),
        ),
    ]
