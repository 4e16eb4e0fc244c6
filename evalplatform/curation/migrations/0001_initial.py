import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_audit'),
        ('accounts', '__first__'),
        ('annotation', '0003_audit'),
        ('campaigns', '0006_chosen_triggers'),
        ('images', '0004_audit'),
    ]

    operations = [
        migrations.CreateModel(
            name='Pool',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('origin', models.CharField(choices=[('folder', 'Selected by rules'), ('samples', 'Samples of a checkpoint')], max_length=8)),
                ('source', models.CharField(blank=True, help_text='As the pool says.', max_length=500)),
                ('rules_sha256', models.CharField(blank=True, help_text='Of the rules file.', max_length=64)),
                ('scores_sha256', models.CharField(blank=True, help_text='Of the scored rows.', max_length=64)),
                ('scorers', models.JSONField(blank=True, default=dict, help_text='Identity of each, by name.')),
                ('funnel', models.JSONField(blank=True, default=dict, help_text='What each rule left.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('collection', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='images.imagecollection')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('rules_sha256__regex', '^([0-9a-f]{64})?$'), ('scores_sha256__regex', '^([0-9a-f]{64})?$')), name='pool_hashes_are_hex')],
            },
        ),
        migrations.CreateModel(
            name='CaptionRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='In the pool, from 1.')),
                ('opened_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(blank=True, help_text='When all was approved or not.', null=True)),
                ('approval', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='captions_approved', to='campaigns.campaign')),
                ('writing', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='captions_written', to='campaigns.campaign')),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='caption_rounds', to='curation.pool')),
            ],
            options={
                'ordering': ['pool', 'number'],
                'constraints': [models.UniqueConstraint(fields=('pool', 'number'), name='caption_round_number'), models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('pool',), name='caption_round_one_open'), models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='caption_round_number_from_one'), models.CheckConstraint(condition=models.Q(('closed_at__isnull', True), ('approval__isnull', False), _connector='OR'), name='caption_round_closed_was_approved')],
            },
        ),
        migrations.CreateModel(
            name='PoolImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('concept', models.CharField(blank=True, max_length=200)),
                ('licence', models.CharField(blank=True, help_text='Empty: unknown.', max_length=200)),
                ('popularity', models.FloatField(blank=True, help_text='Such as likes; 0 or more.', null=True)),
                ('scores', models.JSONField(blank=True, default=dict, help_text='Of the filters, by name; shown to no annotator.')),
                ('image', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='images.collectedimage')),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='images', to='curation.pool')),
            ],
            options={
                'ordering': ['pool', 'image__position'],
                'constraints': [models.CheckConstraint(condition=models.Q(('popularity__isnull', True), ('popularity__gte', 0), _connector='OR'), name='pool_image_popularity')],
            },
        ),
        migrations.CreateModel(
            name='Caption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('approved', models.BooleanField()),
                ('judged', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotation.vote')),
                ('written', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='annotation.vote')),
                ('round', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='captions', to='curation.captionround')),
                ('pool_image', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='captions', to='curation.poolimage')),
            ],
            options={
                'ordering': ['round', 'pool_image'],
                'constraints': [models.UniqueConstraint(fields=('round', 'pool_image'), name='caption_once_a_round'), models.UniqueConstraint(condition=models.Q(('approved', True)), fields=('pool_image',), name='caption_approved_once')],
            },
        ),
        migrations.CreateModel(
            name='ScoringRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('data', models.CharField(blank=True, help_text="Path, the same on every worker's machine.", max_length=500)),
                ('out', models.CharField(help_text='Folder of the scores, as `data`.', max_length=500)),
                ('scorers', models.JSONField(help_text='Names, in order.')),
                ('options', models.JSONField(blank=True, default=dict, help_text="By scorer's name.")),
                ('caption', models.CharField(default='caption', help_text="The source's name.", max_length=100)),
                ('shard_size', models.PositiveIntegerField(help_text='Images a job.')),
                ('status', models.CharField(choices=[('active', 'Active'), ('paused', 'Paused'), ('cancelled', 'Cancelled')], default='active', max_length=9)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('collection', models.ForeignKey(blank=True, help_text='What is scored in place of a path.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='images.imagecollection')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
            ],
            options={
                'ordering': ['-created_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('collection__isnull', False), ('data', '')), models.Q(models.Q(('data', ''), _negated=True), ('collection__isnull', True)), _connector='OR'), name='scoring_of_one_source'), models.CheckConstraint(condition=models.Q(('out', ''), _negated=True), name='scoring_goes_somewhere'), models.CheckConstraint(condition=models.Q(('shard_size__gte', 1)), name='scoring_shard_size')],
            },
        ),
        migrations.CreateModel(
            name='ScoringShard',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('status', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=9)),
                ('worker', models.CharField(blank=True, help_text='Who has it, or had it last.', max_length=120)),
                ('lease_expires_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveIntegerField(default=0)),
                ('error', models.TextField(blank=True, help_text='Why it failed, as a person reads it.')),
                ('finished_at', models.DateTimeField(blank=True, null=True)),
                ('number', models.PositiveIntegerField(help_text='From 1; 0 cuts the source into the others.')),
                ('file', models.CharField(blank=True, help_text='Of a source of such files.', max_length=500)),
                ('start', models.PositiveBigIntegerField(default=0, help_text='Place of its first image.')),
                ('stop', models.PositiveBigIntegerField(blank=True, help_text='Place after its last; null: to the end.', null=True)),
                ('looked', models.PositiveBigIntegerField(default=0, help_text='Images it is through with.')),
                ('unreadable', models.PositiveBigIntegerField(default=0, help_text='Images it found spoilt, in its last attempt.')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='shards', to='curation.scoringrequest')),
            ],
            options={
                'ordering': ['request', 'number'],
                'indexes': [models.Index(condition=models.Q(('status__in', ['queued', 'running'])), fields=['status', 'lease_expires_at'], name='shard_unfinished')],
                'constraints': [models.UniqueConstraint(fields=('request', 'number'), name='shard_number'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'running'), _negated=True), ('lease_expires_at__isnull', False), _connector='OR'), name='shard_running_has_lease'), models.CheckConstraint(condition=models.Q(models.Q(('status', 'failed'), _negated=True), models.Q(('error', ''), _negated=True), _connector='OR'), name='shard_failed_says_why')],
            },
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='Order in the pool, from 1.')),
                ('kind', models.CharField(choices=[('generalists', 'Generalists'), ('specialists', 'Specialists'), ('alignment', 'Alignment'), ('style', 'Style')], max_length=12)),
                ('keep', models.CharField(choices=[('any', 'Any keep suffices; unsure counts as keep'), ('all', 'All keep and mark no head')], max_length=4)),
                ('target', models.PositiveIntegerField(blank=True, help_text='How many are wanted; null: as many as are good.', null=True)),
                ('opened_at', models.DateTimeField(auto_now_add=True)),
                ('closed_at', models.DateTimeField(blank=True, help_text='When it decided.', null=True)),
                ('decisions_sha256', models.CharField(blank=True, help_text='Of its decisions, in the order of image hashes.', max_length=64)),
                ('campaign', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='stage', to='campaigns.campaign')),
                ('closed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('pool', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='stages', to='curation.pool')),
            ],
            options={
                'ordering': ['pool', 'number'],
                'constraints': [models.UniqueConstraint(fields=('pool', 'number'), name='stage_unique_number'), models.UniqueConstraint(fields=('pool', 'kind'), name='stage_unique_kind'), models.UniqueConstraint(condition=models.Q(('closed_at__isnull', True)), fields=('pool',), name='stage_one_open'), models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='stage_number_from_one'), models.CheckConstraint(condition=models.Q(('target__isnull', True), ('target__gte', 1), _connector='OR'), name='stage_target'), models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('decisions_sha256', '')), models.Q(('closed_at__isnull', False), ('decisions_sha256__regex', '^[0-9a-f]{64}$')), _connector='OR'), name='stage_closed_has_decided')],
            },
        ),
        migrations.CreateModel(
            name='Promotion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kept', models.BooleanField()),
                ('why', models.CharField(max_length=200)),
                ('pool_image', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='promotions', to='curation.poolimage')),
                ('stage', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='promotions', to='curation.stage')),
            ],
            options={
                'ordering': ['stage', 'pool_image'],
                'constraints': [models.UniqueConstraint(fields=('stage', 'pool_image'), name='promotion_once'), models.CheckConstraint(condition=models.Q(('why', ''), _negated=True), name='promotion_says_why')],
            },
        ),
    ]
