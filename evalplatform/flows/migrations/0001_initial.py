import django.db.models.deletion
import evalplatform.campaigns.models.campaign
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_audit'),
        ('accounts', '__first__'),
        ('campaigns', '0006_chosen_triggers'),
    ]

    operations = [
        migrations.CreateModel(
            name='Flow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=40, unique=True)),
                ('criterion', models.JSONField(help_text='What is asked, as `CriterionPlan` holds it.')),
                ('images_per_panel', models.PositiveSmallIntegerField()),
                ('k', models.PositiveSmallIntegerField(help_text='Annotators a panel.')),
                ('deadline_seconds', models.PositiveIntegerField(help_text='How long people have for a batch that says nothing else.')),
                ('rules', models.JSONField(blank=True, default=dict, help_text='See campaigns.rules.')),
                ('status', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=8)),
                ('invitation', models.CharField(default=evalplatform.campaigns.models.campaign.new_invitation, max_length=40, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['-created_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('deadline_seconds__gte', 1), ('images_per_panel__range', (1, 8)), ('k__gte', 1)), name='flow_counts'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('status', 'open')), models.Q(('closed_at__isnull', False), ('status', 'closed')), _connector='OR'), name='flow_closed_says_when')],
            },
        ),
        migrations.CreateModel(
            name='FlowBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('panels', models.JSONField(help_text='[{prompt, images: hashes by place}], as they were asked.')),
                ('panel_count', models.PositiveSmallIntegerField()),
                ('status', models.CharField(choices=[('queued', 'Waiting for a worker'), ('opening', 'Being opened'), ('open', 'Open'), ('done', 'All votes are in'), ('late', 'Its deadline came first'), ('closed', 'Closed early'), ('failed', 'Failed')], default='queued', max_length=8)),
                ('reason', models.TextField(blank=True, help_text='Why it failed, or was not open in time.')),
                ('asked_at', models.DateTimeField()),
                ('deadline_at', models.DateTimeField()),
                ('taken_at', models.DateTimeField(blank=True, help_text='By a worker, last.', null=True)),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('campaign', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='flow_batch', to='campaigns.campaign')),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='batches', to='flows.flow')),
            ],
            options={
                'ordering': ['flow', '-number'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['queued', 'opening', 'open'])), fields=['deadline_at'], name='flow_batch_under_way')],
                'constraints': [models.UniqueConstraint(fields=('flow', 'number'), name='flow_batch_once'), models.CheckConstraint(condition=models.Q(('deadline_at__gt', models.F('asked_at'))), name='flow_batch_deadline_is_ahead'), models.CheckConstraint(condition=models.Q(('panel_count__gte', 1)), name='flow_batch_has_panels'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='flow_batch_failed_says_why'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('status__in', ['queued', 'opening', 'open'])), models.Q(('ended_at__isnull', False), ('status__in', ['done', 'late', 'closed', 'failed'])), _connector='OR'), name='flow_batch_ended_says_when'), models.CheckConstraint(condition=models.Q(models.Q(('campaign__isnull', False), ('opened_at__isnull', False), ('status__in', ['open', 'done'])), ('status__in', ['queued', 'opening', 'late', 'closed', 'failed']), _connector='OR'), name='flow_batch_open_has_a_campaign')],
            },
        ),
        migrations.CreateModel(
            name='FlowConsent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consented_at', models.DateTimeField()),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.annotator')),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='consents', to='flows.flow')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('flow', 'annotator'), name='flow_consent_once')],
            },
        ),
        migrations.CreateModel(
            name='FlowImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(help_text='Of the file that was sent.', max_length=64)),
                ('size_bytes', models.PositiveIntegerField(help_text='Of the file that was sent.')),
                ('image', models.CharField(help_text='Name in object storage.', max_length=200)),
                ('image_sha256', models.CharField(max_length=64)),
                ('pixels_sha256', models.CharField(max_length=64)),
                ('is_constant', models.BooleanField()),
                ('width', models.PositiveIntegerField()),
                ('height', models.PositiveIntegerField()),
                ('sent_at', models.DateTimeField()),
                ('is_asked', models.BooleanField(default=False, help_text='Whether a batch asks about it.')),
                ('flow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='images', to='flows.flow')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('is_asked', False)), fields=['flow', 'sent_at'], name='flow_image_unasked')],
                'constraints': [models.UniqueConstraint(fields=('flow', 'sha256'), name='flow_image_once'), models.CheckConstraint(condition=models.Q(('image_sha256__regex', '^[0-9a-f]{64}$'), ('pixels_sha256__regex', '^[0-9a-f]{64}$'), ('sha256__regex', '^[0-9a-f]{64}$')), name='flow_image_hashes')],
            },
        ),
    ]
