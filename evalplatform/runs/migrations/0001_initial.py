import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_audit'),
        ('accounts', '__first__'),
        ('campaigns', '0004_audit'),
    ]

    operations = [
        migrations.CreateModel(
            name='Draft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField(default=1)),
                ('title', models.CharField(blank=True, help_text='For lists; empty: its name.', max_length=200)),
                ('choices', models.JSONField(blank=True, default=dict, help_text='See runs.choices.')),
                ('opening_asked_at', models.DateTimeField(blank=True, null=True)),
                ('forwarded_at', models.DateTimeField(blank=True, help_text='When a worker was last asked to bring it forward.', null=True)),
                ('waits_for', models.TextField(blank=True, help_text='What its campaign waits for, in words.')),
                ('opening_fault', models.TextField(blank=True, help_text='Why it could not open, in words.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('campaign', models.OneToOneField(blank=True, help_text='What was made of it; then it changes no more.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='draft', to='campaigns.campaign')),
                ('changed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('opening_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['-changed_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('version__gte', 1)), name='draft_version_from_one')],
            },
        ),
        migrations.CreateModel(
            name='DraftRevision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('choices', models.JSONField(blank=True, default=dict)),
                ('at', models.DateTimeField(auto_now_add=True)),
                ('by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='runs.draft')),
            ],
            options={
                'ordering': ['draft', 'version'],
                'constraints': [models.UniqueConstraint(fields=('draft', 'version'), name='draft_revision_once')],
            },
        ),
    ]
