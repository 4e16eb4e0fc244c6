import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.core.validators
import django.db.models.deletion
import evalplatform.campaigns.models.campaign
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
        ('checkpoints', '0001_initial'),
        ('generation', '0001_initial'),
        ('images', '0001_initial'),
        ('promptsets', '0001_initial'),
        ('safety', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Campaign',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=80, unique=True)),
                ('status', models.CharField(choices=[('draft', 'Draft'), ('generating', 'Generating'), ('open', 'Open'), ('paused', 'Paused'), ('closed', 'Closed')], default='draft', max_length=12)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('design', models.CharField(default='all-pairs', help_text='Who meets whom; see campaigns.designs.', max_length=120)),
                ('seed', models.PositiveBigIntegerField()),
                ('prompts_per_set', models.PositiveIntegerField(blank=True, help_text='Size of a seeded random subset; null takes every prompt.', null=True)),
                ('prompt_filter', models.JSONField(blank=True, default=dict, help_text='Which prompts are taken; see campaigns.prompt_filter.')),
                ('filtered_prompts', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), blank=True, help_text='Keys of the prompts that the filter left; null: there is none.', null=True, size=None)),
                ('images_per_prompt', models.PositiveSmallIntegerField(default=1, help_text='Seeds of each arm and prompt.', validators=[django.core.validators.MinValueValidator(1)])),
                ('lease_seconds', models.PositiveIntegerField()),
                ('rules', models.JSONField(blank=True, default=dict, help_text='See campaigns.rules.')),
                ('sets_left_out', models.PositiveIntegerField(default=0, help_text='Sets that hold an image that was withheld.')),
                ('protocol', models.JSONField(blank=True, help_text='As frozen at opening.', null=True)),
                ('protocol_sha256', models.CharField(blank=True, max_length=64)),
                ('gold_file', models.CharField(blank=True, help_text='Whose gold is taken before it opens.', max_length=1000)),
                ('opens_when_ready', models.BooleanField(default=True, help_text='Whether run_eval opens it once all samples are there.')),
                ('invitation', models.CharField(default=evalplatform.campaigns.models.campaign.new_invitation, max_length=40, unique=True)),
                ('leads_on', models.CharField(blank=True, help_text='Path of this site where annotators find more once nothing is left for them.', max_length=200)),
                ('opened_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('item_count', models.PositiveIntegerField(default=0)),
                ('shown_widths', django.contrib.postgres.fields.ArrayField(base_field=models.PositiveSmallIntegerField(), blank=True, default=list, help_text='Of the smaller copies beside each file shown; set at opening.', size=None)),
                ('imported_from', models.JSONField(blank=True, help_text='Of votes cast elsewhere: file, hash, rows; null: ours.', null=True)),
                ('outline', models.JSONField(blank=True, default=list, help_text='The walk, criterion by criterion: [its id, where it ends, hidden gold].')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('prompt_sets', models.ManyToManyField(related_name='campaigns', to='promptsets.promptset')),
                ('safety_detector', models.ForeignKey(blank=True, help_text='Whose scores decided which images were withheld; set at opening.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='safety.safetydetector')),
                ('settings', models.ForeignKey(blank=True, help_text='How its images are sampled; not known where votes were imported.', null=True, on_delete=django.db.models.deletion.PROTECT, to='generation.samplersettings')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('images_per_prompt__gte', 1)), name='campaign_images_per_prompt'), models.CheckConstraint(condition=models.Q(models.Q(('filtered_prompts__isnull', True), ('prompt_filter', {})), models.Q(models.Q(('prompt_filter', {}), _negated=True), ('filtered_prompts__isnull', False), ('filtered_prompts__len__gte', 1)), _connector='OR'), name='campaign_filter_was_applied', violation_error_message='A prompt filter leaves at least one prompt.'), models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'generating']), models.Q(('protocol__isnull', False), ('protocol_sha256__regex', '^[0-9a-f]{64}$')), _connector='OR'), name='campaign_open_is_frozen'), models.CheckConstraint(condition=models.Q(('status__in', ['draft', 'generating']), ('rules__safety__threshold__isnull', True), ('safety_detector__isnull', False), _connector='OR'), name='campaign_open_is_filtered', violation_error_message='Its rules ask for a safety filter that was not applied.'), models.CheckConstraint(condition=models.Q(models.Q(('imported_from__isnull', True), ('settings__isnull', False)), models.Q(('imported_from__isnull', False), ('settings__isnull', True), ('status', 'closed')), _connector='OR'), name='campaign_settings_or_imported')],
            },
        ),
        migrations.CreateModel(
            name='Arm',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveSmallIntegerField(help_text='0 is A, 1 is B, and so on.')),
                ('model', models.CharField(blank=True, help_text='Where votes were imported: what made its images.', max_length=200)),
                ('joined_at', models.DateTimeField(blank=True, help_text='When it joined a campaign that was open already.', null=True)),
                ('checkpoint', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='arms', to='checkpoints.checkpoint')),
                ('collection', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='arms', to='images.imagecollection')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='arms', to='campaigns.campaign')),
            ],
            options={
                'ordering': ['campaign', 'place'],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'place'), name='arm_unique_place'), models.UniqueConstraint(fields=('campaign', 'checkpoint'), name='arm_once', violation_error_message='A checkpoint cannot be compared with itself.'), models.UniqueConstraint(fields=('campaign', 'collection'), name='arm_collection_once', violation_error_message='A collection cannot be compared with itself.'), models.UniqueConstraint(condition=models.Q(('model', ''), _negated=True), fields=('campaign', 'model'), name='arm_model_once'), models.CheckConstraint(condition=models.Q(models.Q(('checkpoint__isnull', False), ('collection__isnull', True), ('model', '')), models.Q(('checkpoint__isnull', True), ('collection__isnull', False), ('model', '')), models.Q(('checkpoint__isnull', True), ('collection__isnull', True), models.Q(('model', ''), _negated=True)), _connector='OR'), name='arm_is_one_thing')],
            },
        ),
        migrations.CreateModel(
            name='Criterion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=40)),
                ('label', models.CharField(max_length=80)),
                ('question', models.TextField()),
                ('instructions', models.TextField(blank=True)),
                ('shows_prompt', models.BooleanField()),
                ('form', models.CharField(choices=[('pair', 'left, right or tie'), ('pair_both_neither', 'left, right, both or neither'), ('ranking', 'rank all, ties allowed'), ('rating', 'rate from 1 to 5'), ('keep_reject', 'keep, unsure or reject'), ('caption', 'write what it shows'), ('approve', 'approve or reject')], max_length=20)),
                ('heads', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, help_text="What may be marked beside an answer: the guideline's heads.", size=None)),
                ('translations', models.JSONField(blank=True, default=dict, help_text='By language: its question, instructions and heads, as annotators read them.')),
                ('gold', models.CharField(blank=True, choices=[('damaged_copy', 'An image against a spoilt copy of itself'), ('other_prompt', 'An image against that of another prompt'), ('', 'None can be made')], default='', max_length=20)),
                ('k', models.PositiveIntegerField(help_text='Annotators per item.', validators=[django.core.validators.MinValueValidator(1)])),
                ('position', models.PositiveIntegerField(help_text='Order in which annotators meet it.')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='criteria', to='campaigns.campaign')),
            ],
            options={
                'verbose_name_plural': 'criteria',
                'ordering': ['campaign', 'position'],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'slug'), name='criterion_unique_slug'), models.UniqueConstraint(fields=('campaign', 'position'), name='criterion_unique_place'), models.CheckConstraint(condition=models.Q(('k__gte', 1)), name='criterion_k_at_least_one'), models.CheckConstraint(condition=models.Q(('form__in', ['pair', 'pair_both_neither', 'ranking', 'rating', 'keep_reject', 'caption', 'approve'])), name='criterion_form_is_known'), models.CheckConstraint(condition=models.Q(('shows_prompt', True), ('slug', 'visual_appeal'), _negated=True), name='criterion_appeal_hides_prompt')],
            },
        ),
        migrations.CreateModel(
            name='ImageSet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('main', 'What the campaign asks'), ('example', 'Shown with its answer before consent'), ('qualification', 'Judged before the first item'), ('check', 'Mixed in unseen')], default='main', max_length=16)),
                ('position', models.PositiveIntegerField(help_text='Among those of its purpose and criterion.')),
                ('prompt_text', models.TextField(blank=True, help_text='As it is shown, where it is.')),
                ('expected', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), blank=True, help_text='Of gold: its grades, by place.', null=True, size=None)),
                ('why', models.TextField(blank=True, help_text='Why these are its grades, as an example says it.')),
                ('origin', models.JSONField(blank=True, default=dict, help_text='How gold came about.')),
                ('public_id', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, unique=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='image_sets', to='campaigns.campaign')),
                ('criterion', models.ForeignKey(blank=True, help_text='Of gold: the one criterion under which its grades are known.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='gold_sets', to='campaigns.criterion')),
                ('prompt', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to='promptsets.prompt')),
            ],
            options={
                'ordering': ['campaign', 'criterion', 'purpose', 'position'],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'criterion', 'purpose', 'position'), name='image_set_unique_place', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('criterion__isnull', True), ('expected__isnull', True), ('prompt__isnull', False), ('purpose', 'main')), models.Q(models.Q(('purpose', 'main'), _negated=True), ('criterion__isnull', False), ('expected__isnull', False)), _connector='OR'), name='image_set_is_gold_or_not')],
            },
        ),
        migrations.CreateModel(
            name='Item',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField(blank=True, help_text='Seeded random order in the campaign; null: gold.', null=True)),
                ('copy', models.PositiveSmallIntegerField(default=0, help_text="Which of its images' files are shown.")),
                ('repeatable', models.BooleanField(default=False, help_text='Whether there are files (copy + 1) to show it a second time.')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='campaigns.campaign')),
                ('criterion', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='campaigns.criterion')),
                ('image_set', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='campaigns.imageset')),
            ],
            options={
                'ordering': ['campaign', 'position'],
                'constraints': [models.UniqueConstraint(fields=('image_set', 'criterion'), name='item_unique'), models.UniqueConstraint(fields=('campaign', 'position'), name='item_unique_position')],
            },
        ),
        migrations.CreateModel(
            name='ShownImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('place', models.PositiveSmallIntegerField()),
                ('copies', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(blank=True, max_length=200), help_text='Names in object storage.', size=None)),
                ('arm', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='images', to='campaigns.arm')),
                ('collected', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='images.collectedimage')),
                ('image_set', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='images', to='campaigns.imageset')),
                ('sample', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.sample')),
            ],
            options={
                'ordering': ['image_set', 'place'],
                'constraints': [models.UniqueConstraint(fields=('image_set', 'place'), name='shown_image_unique_place'), models.UniqueConstraint(fields=('image_set', 'arm'), name='shown_image_arm_once'), models.CheckConstraint(condition=models.Q(('copies__len__gte', 1)), name='shown_image_has_a_file'), models.CheckConstraint(condition=models.Q(models.Q(('arm__isnull', True), ('collected__isnull', True), ('sample__isnull', True)), models.Q(('arm__isnull', False), ('collected__isnull', True), ('sample__isnull', False)), models.Q(('arm__isnull', False), ('collected__isnull', False), ('sample__isnull', True)), models.Q(('arm__isnull', False), ('collected__isnull', True), ('copies', ['']), ('sample__isnull', True)), _connector='OR'), name='shown_image_is_its_arms')],
            },
        ),
        migrations.CreateModel(
            name='Withheld',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(default=0, help_text="Which of its arm's images of the prompt, from 0.")),
                ('score', models.FloatField(help_text='0 to 1.')),
                ('threshold', models.FloatField(help_text='From this score on an image is unsafe.')),
                ('arm', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='withheld', to='campaigns.arm')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='withheld', to='campaigns.campaign')),
                ('collected', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='images.collectedimage')),
                ('detector', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='safety.safetydetector')),
                ('sample', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='generation.sample')),
            ],
            options={
                'verbose_name_plural': 'withheld images',
                'ordering': ['campaign', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'sample', 'collected'), name='withheld_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('collected__isnull', True), ('sample__isnull', False)), models.Q(('collected__isnull', False), ('sample__isnull', True)), _connector='OR'), name='withheld_is_one_image'), models.CheckConstraint(condition=models.Q(('score__range', (0, 1)), ('threshold__gt', 0), ('threshold__lte', 1)), name='withheld_shares'), models.CheckConstraint(condition=models.Q(('score__gte', models.F('threshold'))), name='withheld_has_a_reason')],
            },
        ),
    ]
