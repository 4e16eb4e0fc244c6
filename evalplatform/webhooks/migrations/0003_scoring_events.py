import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models

from evalplatform.core.sql_files import sql_file


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_uses'),
        ('webhooks', '0002_triggers'),
        ('curation', '0003_uses'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='webhookendpoint',
            name='webhook_events_are_known',
        ),
        migrations.AlterField(
            model_name='webhookendpoint',
            name='events',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('campaign.opened', 'A campaign was opened'), ('campaign.paused', 'A campaign was paused'), ('campaign.resumed', 'A paused campaign goes on'), ('campaign.completed', 'Every vote of a campaign is in'), ('campaign.closed', 'A campaign was closed'), ('batch.failed', 'A batch of images failed'), ('scoring.failed', 'A job of scoring images failed'), ('checkpoint.verified', 'An uploaded checkpoint was verified'), ('checkpoint.refused', 'An uploaded checkpoint was refused'), ('job.done', 'A job is done'), ('job.failed', 'A job failed'), ('export.ready', 'An export can be downloaded'), ('export.failed', 'An export failed'), ('flow.done', "Every vote of a flow's batch is in"), ('flow.late', "The deadline of a flow's batch came first"), ('flow.closed', "A flow's batch was closed early"), ('flow.failed', "A flow's batch could not be opened")], max_length=40), size=None),
        ),
        migrations.AddConstraint(
            model_name='webhookendpoint',
            constraint=models.CheckConstraint(condition=models.Q(('events__len__gte', 1), ('events__contained_by', ['campaign.opened', 'campaign.paused', 'campaign.resumed', 'campaign.completed', 'campaign.closed', 'batch.failed', 'checkpoint.verified', 'checkpoint.refused', 'job.done', 'job.failed', 'export.ready', 'export.failed', 'flow.done', 'flow.late', 'flow.closed', 'flow.failed', 'scoring.failed'])), name='webhook_events_are_known'),
        ),
        migrations.RunSQL(sql_file("webhooks", "webhooks"), migrations.RunSQL.noop),
    ]
