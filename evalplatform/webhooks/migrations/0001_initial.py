import django.contrib.postgres.fields
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_audit'),
        ('accounts', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=500)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('events', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('campaign.opened', 'A campaign was opened'), ('campaign.paused', 'A campaign was paused'), ('campaign.resumed', 'A paused campaign goes on'), ('campaign.completed', 'Every vote of a campaign is in'), ('campaign.closed', 'A campaign was closed'), ('batch.failed', 'A batch of images failed'), ('checkpoint.verified', 'An uploaded checkpoint was verified'), ('checkpoint.refused', 'An uploaded checkpoint was refused'), ('job.done', 'A job is done'), ('job.failed', 'A job failed'), ('export.ready', 'An export can be downloaded'), ('export.failed', 'An export failed'), ('flow.done', "Every vote of a flow's batch is in"), ('flow.late', "The deadline of a flow's batch came first"), ('flow.closed', "A flow's batch was closed early"), ('flow.failed', "A flow's batch could not be opened")], max_length=40), size=None)),
                ('secret', models.TextField(help_text='Sealed; see webhooks.services.')),
                ('previous_secret', models.TextField(blank=True, help_text='Sealed; signs too for a day.')),
                ('previous_until', models.DateTimeField(blank=True, null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('why_inactive', models.CharField(blank=True, max_length=300)),
                ('last_success_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['pk'],
                'constraints': [models.UniqueConstraint(fields=('project', 'url'), name='webhook_once_a_project'), models.CheckConstraint(condition=models.Q(('url__startswith', 'https://'), ('url__startswith', 'http://'), _connector='OR'), name='webhook_is_an_address'), models.CheckConstraint(condition=models.Q(('events__len__gte', 1), ('events__contained_by', ['campaign.opened', 'campaign.paused', 'campaign.resumed', 'campaign.completed', 'campaign.closed', 'batch.failed', 'checkpoint.verified', 'checkpoint.refused', 'job.done', 'job.failed', 'export.ready', 'export.failed', 'flow.done', 'flow.late', 'flow.closed', 'flow.failed'])), name='webhook_events_are_known'), models.CheckConstraint(condition=models.Q(models.Q(('is_active', True), ('why_inactive', '')), ('is_active', False), _connector='OR'), name='webhook_active_without_a_reason')],
            },
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('message_id', models.CharField(max_length=60, unique=True)),
                ('event', models.CharField(max_length=40)),
                ('subject', models.CharField(blank=True, help_text='Name of what it is of.', max_length=80)),
                ('payload', models.JSONField()),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('delivered', 'Delivered'), ('failed', 'Given up')], default='pending', max_length=10)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField()),
                ('answered', models.PositiveSmallIntegerField(blank=True, help_text='HTTP status.', null=True)),
                ('answer', models.CharField(blank=True, help_text='Its first letters, or why none.', max_length=500)),
                ('created_at', models.DateTimeField()),
                ('delivered_at', models.DateTimeField(blank=True, null=True)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='webhooks.webhookendpoint')),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('status', 'pending')), fields=['next_attempt_at'], name='webhook_due')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('event', 'campaign.completed')), fields=('endpoint', 'subject'), name='webhook_completed_once'), models.CheckConstraint(condition=models.Q(models.Q(('delivered_at__isnull', False), ('status', 'delivered')), models.Q(models.Q(('status', 'delivered'), _negated=True), ('delivered_at', None)), _connector='OR'), name='webhook_delivered_says_when')],
            },
        ),
    ]
