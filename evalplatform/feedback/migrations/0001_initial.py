import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0004_audit'),
        ('accounts', '__first__'),
        ('campaigns', '0004_audit'),
        ('checkpoints', '0003_audit'),
        ('promptsets', '0004_frozen'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeedbackLoop',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('slug', models.SlugField(max_length=60, unique=True)),
                ('gallery', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=90), help_text='Arms of the first ranking, by name.', size=None)),
                ('aspects', django.contrib.postgres.fields.ArrayField(base_field=models.SlugField(max_length=60), help_text='Criteria that people rank by.', size=None)),
                ('k', models.PositiveSmallIntegerField(help_text='Annotators an item.')),
                ('seed', models.PositiveBigIntegerField(default=0)),
                ('sampler', models.JSONField(help_text='How images are sampled, as `SamplerSettings` stores it.')),
                ('rules', models.JSONField(blank=True, default=dict, help_text='See campaigns.rules.')),
                ('verified_share', models.FloatField(help_text='Of the prompts on which people rank the child too, above 0, at most 1.')),
                ('agreement_floor', models.FloatField(help_text='Of pairs placed by rewards that people must agree with, 0 to 1; below: stop.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('prompt_set', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='promptsets.promptset')),
                ('proof_prompt_set', models.ForeignKey(help_text='Shares no prompt with the other.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='promptsets.promptset')),
            ],
            options={
                'ordering': ['-created_at', '-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('gallery__len__gte', 2), ('aspects__len__gte', 1), ('k__gte', 1)), name='feedback_gallery_of_two'), models.CheckConstraint(condition=models.Q(('verified_share__gt', 0), ('verified_share__lte', 1), ('agreement_floor__gte', 0), ('agreement_floor__lte', 1)), name='feedback_shares'), models.CheckConstraint(condition=models.Q(('prompt_set', models.F('proof_prompt_set')), _negated=True), name='feedback_proof_is_held_out')],
            },
        ),
        migrations.CreateModel(
            name='FeedbackRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('preferences_sha256', models.CharField(blank=True, help_text='Of the preference set that rewards learn from.', max_length=64)),
                ('preferences', models.JSONField(blank=True, default=dict, help_text='What is in it: pairs by split, aspect and source.')),
                ('insertion', models.JSONField(blank=True, default=dict, help_text='Where the child came in: pairs and places by aspect.')),
                ('agreed', models.PositiveIntegerField(blank=True, help_text='Pairs in which rewards placed the child as people do.', null=True)),
                ('compared', models.PositiveIntegerField(blank=True, help_text='Pairs that people decided.', null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('child', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkpoints.checkpoint')),
                ('loop', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rounds', to='feedback.feedbackloop')),
                ('parent', models.ForeignKey(help_text='What is tuned.', on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkpoints.checkpoint')),
                ('proof', models.ForeignKey(blank=True, help_text='The child against its parent, on held-out prompts.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.campaign')),
                ('rankings', models.ForeignKey(blank=True, help_text='Of the gallery, by people; later rounds have it from the round before.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.campaign')),
                ('verification', models.ForeignKey(blank=True, help_text='People rank the child too, on a share of the prompts.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='campaigns.campaign')),
            ],
            options={
                'ordering': ['loop', 'number'],
                'constraints': [models.UniqueConstraint(fields=('loop', 'number'), name='feedback_round_once'), models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='feedback_round_from_one'), models.CheckConstraint(condition=models.Q(('preferences_sha256', ''), ('preferences_sha256__regex', '^[0-9a-f]{64}$'), _connector='OR'), name='feedback_preferences_hash'), models.CheckConstraint(condition=models.Q(('child', None), models.Q(('preferences_sha256', ''), _negated=True), _connector='OR'), name='feedback_child_has_preferences'), models.CheckConstraint(condition=models.Q(('child__isnull', False), models.Q(('insertion', {}), ('proof', None), ('verification', None)), _connector='OR'), name='feedback_judged_has_child'), models.CheckConstraint(condition=models.Q(('child', None), models.Q(('child', models.F('parent')), _negated=True), _connector='OR'), name='feedback_child_is_another'), models.CheckConstraint(condition=models.Q(models.Q(('agreed', None), ('compared', None)), models.Q(('agreed__lte', models.F('compared')), ('compared__gte', 1), ('verification__isnull', False)), _connector='OR'), name='feedback_agreement_is_counted')],
            },
        ),
        migrations.CreateModel(
            name='RegisteredReward',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.SlugField(max_length=80, unique=True)),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('aspects', django.contrib.postgres.fields.ArrayField(base_field=models.SlugField(max_length=60), size=None)),
                ('purpose', models.CharField(choices=[('optimised', 'Optimised'), ('judge', 'Held-out judge')], max_length=10)),
                ('preferences_sha256', models.CharField(help_text='Of what it learned from.', max_length=64)),
                ('metadata', models.JSONField(default=dict, help_text='As the trainer recorded it.')),
                ('evaluation', models.JSONField(blank=True, default=dict, help_text='Accuracy beside the one-person ceiling, by aspect.')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='%(class)ss', to='accounts.project')),
                ('round', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='rewards', to='feedback.feedbackround')),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('preferences_sha256__regex', '^[0-9a-f]{64}$'), ('sha256__regex', '^[0-9a-f]{64}$')), name='reward_hashes_are_hex'), models.CheckConstraint(condition=models.Q(('aspects__len__gte', 1)), name='reward_has_an_aspect')],
            },
        ),
    ]
