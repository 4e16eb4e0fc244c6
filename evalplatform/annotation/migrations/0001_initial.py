import django.contrib.postgres.fields
import django.contrib.postgres.functions
import django.db.models.deletion
import evalplatform.annotation.models.enrolments
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        ('accounts', '__first__'),
        ('campaigns', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='CrowdEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('event_id', models.CharField(max_length=128, unique=True)),
                ('received_at', models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name='RateCount',
            fields=[
                ('key', models.CharField(help_text='Keyed hash of who tried.', max_length=64, primary_key=True, serialize=False)),
                ('began_at', models.DateTimeField()),
                ('count', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Assignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('purpose', models.CharField(choices=[('main', 'One of the k'), ('repeat', 'Repeated with its images turned round'), ('gold', 'Gold'), ('qualification', 'Gold before the first item')], default='main', max_length=16)),
                ('slot', models.PositiveIntegerField(blank=True, help_text="1 to the criterion's k.", null=True)),
                ('order', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), help_text='Which place of the set is shown at each position; planned and balanced.', size=None)),
                ('serve_order', models.PositiveIntegerField(help_text="The item's; lowest is leased first.")),
                ('public_id', models.UUIDField(db_default=django.contrib.postgres.functions.RandomUUID(), default=uuid.uuid4, editable=False, unique=True)),
                ('leased_at', models.DateTimeField(blank=True, null=True)),
                ('lease_expires_at', models.DateTimeField(blank=True, null=True)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('released_at', models.DateTimeField(blank=True, help_text='When the slot last came back from an annotator.', null=True)),
                ('annotator', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='accounts.annotator')),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='campaigns.campaign')),
                ('item', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='campaigns.item')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('annotator__isnull', True)), fields=['campaign', 'serve_order', 'slot'], name='assignment_free'), models.Index(condition=models.Q(('annotator__isnull', True), ('released_at__isnull', False)), fields=['campaign', 'serve_order', 'slot'], name='assignment_came_back'), models.Index(condition=models.Q(('annotator__isnull', False), ('completed_at__isnull', True)), fields=['campaign', 'lease_expires_at'], name='assignment_leased'), models.Index(fields=['annotator', 'campaign', 'completed_at'], name='assignment_held')],
                'constraints': [models.UniqueConstraint(fields=('item', 'slot'), name='assignment_one_per_slot'), models.UniqueConstraint('item', 'annotator', models.ExpressionWrapper(models.Q(('purpose', 'repeat')), output_field=models.BooleanField()), name='assignment_once_per_annotator'), models.CheckConstraint(condition=models.Q(models.Q(('purpose', 'main'), ('slot__isnull', False)), models.Q(models.Q(('purpose', 'main'), _negated=True), ('annotator__isnull', False), ('slot__isnull', True)), _connector='OR'), name='assignment_slot_or_check'), models.CheckConstraint(condition=models.Q(('slot__gte', 1)), name='assignment_slot_from_one'), models.CheckConstraint(condition=models.Q(models.Q(('annotator__isnull', True), ('lease_expires_at__isnull', True), ('leased_at__isnull', True)), models.Q(('annotator__isnull', False), ('lease_expires_at__gt', models.F('leased_at')), ('leased_at__isnull', False)), _connector='OR'), name='assignment_lease_is_whole'), models.CheckConstraint(condition=models.Q(('completed_at__isnull', True), ('annotator__isnull', False), _connector='OR'), name='assignment_completed_by_someone')],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consented_at', models.DateTimeField(auto_now_add=True)),
                ('status', models.CharField(choices=[('active', 'Active'), ('disqualified', 'Disqualified'), ('returned', 'Gave the work back')], default='active', max_length=12)),
                ('understood_at', models.DateTimeField(blank=True, help_text='When the questions about the instructions were passed.', null=True)),
                ('qualified_at', models.DateTimeField(blank=True, null=True)),
                ('questionnaire', models.JSONField(blank=True, help_text='Answers by question name.', null=True)),
                ('address_hash', models.CharField(blank=True, help_text='Keyed hash of where they began; see annotation.doors.places.', max_length=64)),
                ('browser_hash', models.CharField(blank=True, help_text='Keyed hash of the browser they began with.', max_length=64)),
                ('cursor', models.IntegerField(default=-1, help_text='Serve order of the furthest item taken so far.')),
                ('served', models.PositiveIntegerField(default=0, help_text='Items taken so far.')),
                ('taken_here', models.PositiveIntegerField(default=0, help_text='Items taken of the criterion they are at.')),
                ('gold_here', models.PositiveIntegerField(default=0, help_text='Hidden gold taken at that criterion.')),
                ('check_seed', models.PositiveBigIntegerField(default=evalplatform.annotation.models.enrolments.new_check_seed, editable=False)),
                ('turn', models.PositiveIntegerField(default=0, help_text='How far they are in the plan that it gives (annotation.turns).')),
                ('total', models.PositiveIntegerField(blank=True, help_text='The total that their page shows; it does not rise.', null=True)),
                ('judged', models.PositiveIntegerField(default=0, help_text='Answers that stand, checks too.')),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='accounts.annotator')),
                ('campaign', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='enrolments', to='campaigns.campaign')),
                ('criterion', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to='campaigns.criterion')),
                ('member', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='enrolments', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('campaign', 'annotator'), name='enrolment_unique'), models.UniqueConstraint(fields=('campaign', 'member'), name='enrolment_one_a_member')],
            },
        ),
        migrations.CreateModel(
            name='CrowdVisit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('platform', models.SlugField(db_index=False, max_length=40)),
                ('study_id', models.CharField(blank=True, help_text="The platform's study.", max_length=128)),
                ('session_id', models.CharField(blank=True, help_text="The platform's submission, or session.", max_length=128)),
                ('is_proven', models.BooleanField(default=False, help_text='Whether the platform had signed the address.')),
                ('status', models.CharField(blank=True, help_text='Of the submission, as the platform last told it.', max_length=20)),
                ('came_at', models.DateTimeField(auto_now_add=True)),
                ('enrolment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='visits', to='annotation.enrolment')),
            ],
            options={
                'indexes': [models.Index(fields=['session_id'], name='crowd_visit_session')],
                'constraints': [models.UniqueConstraint(fields=('enrolment', 'platform', 'session_id'), name='crowd_visit_unique')],
            },
        ),
        migrations.CreateModel(
            name='ComprehensionTry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(help_text='1 to 2.')),
                ('answers', models.JSONField(help_text='By question name.')),
                ('wrong', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, help_text='Question names.', size=None)),
                ('answered_at', models.DateTimeField()),
                ('enrolment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='comprehension_tries', to='annotation.enrolment')),
            ],
            options={
                'ordering': ['number'],
                'constraints': [models.UniqueConstraint(fields=('enrolment', 'number'), name='comprehension_try_once'), models.CheckConstraint(condition=models.Q(('number__gte', 1), ('number__lte', 2)), name='comprehension_tries_are_bounded')],
            },
        ),
        migrations.CreateModel(
            name='Exclusion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(max_length=40)),
                ('detail', models.TextField(help_text='The figures that decided, in words.')),
                ('decided_at', models.DateTimeField(auto_now_add=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('enrolment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exclusions', to='annotation.enrolment')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('revoked_at__isnull', True)), fields=('enrolment',), name='exclusion_one_in_force')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(help_text='Counted in the campaign from 1.')),
                ('label', models.CharField(blank=True, help_text='For whom, as the list said.', max_length=120)),
                ('annotator', models.ForeignKey(blank=True, help_text='As whom they take part, who worked elsewhere before; null: as somebody new.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='accounts.annotator')),
                ('sha256', models.CharField(max_length=64, unique=True)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, null=True)),
                ('campaign', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='campaigns.campaign')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['campaign', 'number'],
                'constraints': [models.UniqueConstraint(fields=('campaign', 'number'), name='invitation_number'), models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='invitation_is_kept_as_sha256'), models.CheckConstraint(condition=models.Q(('expires_at__isnull', True), ('expires_at__gt', models.F('created_at')), _connector='OR'), name='invitation_expires_later')],
            },
        ),
        migrations.AddField(
            model_name='enrolment',
            name='invitation',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='enrolment', to='annotation.invitation'),
        ),
        migrations.CreateModel(
            name='Release',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(choices=[('broken_image', 'Skipped: an image does not show'), ('unsafe', 'Skipped: unsafe or disturbing'), ('cannot_judge', 'Skipped: cannot judge'), ('late_answer', 'Answered after somebody else had the slot'), ('excluded', 'The vote was excluded'), ('own_work', 'It is about what they made themselves')], max_length=16)),
                ('released_at', models.DateTimeField(auto_now_add=True)),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='accounts.annotator')),
                ('assignment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='annotation.assignment')),
                ('item', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='releases', to='campaigns.item')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('item', 'annotator'), name='release_unique')],
            },
        ),
        migrations.CreateModel(
            name='Settlement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('approval', 'Approval'), ('bonus', 'Bonus')], max_length=10)),
                ('amount', models.DecimalField(blank=True, decimal_places=2, help_text="In the study's currency.", max_digits=8, null=True)),
                ('payment_id', models.CharField(blank=True, help_text="The platform's own.", max_length=64)),
                ('state', models.CharField(choices=[('paying', 'Asked for; whether it was paid is not known yet'), ('sent', 'Sent')], max_length=10)),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('visit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='settlements', to='annotation.crowdvisit')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('visit', 'kind'), name='settlement_once'), models.CheckConstraint(condition=models.Q(models.Q(('amount__gt', 0), ('kind', 'bonus')), models.Q(('amount__isnull', True), ('kind', 'approval')), _connector='OR'), name='settlement_bonus_has_an_amount'), models.CheckConstraint(condition=models.Q(models.Q(('sent_at__isnull', False), ('state', 'sent')), models.Q(('kind', 'bonus'), ('sent_at__isnull', True), ('state', 'paying')), _connector='OR'), name='settlement_sent_has_a_time')],
            },
        ),
        migrations.CreateModel(
            name='SurplusVote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('answer', models.CharField(max_length=1000)),
                ('response_time_ms', models.PositiveIntegerField(blank=True, null=True)),
                ('reason', models.CharField(choices=[('slot_reassigned', 'The lease ran out and somebody else has the slot'), ('already_answered', 'This annotator had answered this before'), ('campaign_closed', 'The campaign was closed'), ('annotator_excluded', 'The annotator had been excluded'), ('was_skipped', 'This annotator had skipped this before')], max_length=20)),
                ('idempotency_key', models.UUIDField(unique=True)),
                ('received_at', models.DateTimeField()),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='surplus', to='accounts.annotator')),
                ('assignment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='surplus', to='annotation.assignment')),
            ],
        ),
        migrations.CreateModel(
            name='Vote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('form', models.CharField(max_length=20)),
                ('answer', models.CharField(help_text='By position, or a text; see campaigns.forms. Up to 40 letters, but for a text.', max_length=1000)),
                ('marks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, help_text='Heads marked.', size=None)),
                ('order', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), size=None)),
                ('grades', django.contrib.postgres.fields.ArrayField(base_field=models.SmallIntegerField(), help_text='By place; higher is better, equal is a tie.', size=None)),
                ('response_time_ms', models.PositiveIntegerField(blank=True, help_text='From all images decoded to the answer; null without JS.', null=True)),
                ('idempotency_key', models.UUIDField(unique=True)),
                ('viewport_width', models.PositiveIntegerField(blank=True, help_text='CSS pixels.', null=True)),
                ('viewport_height', models.PositiveIntegerField(blank=True, help_text='CSS pixels.', null=True)),
                ('pixel_ratio', models.FloatField(blank=True, help_text='Device pixels to a CSS pixel.', null=True)),
                ('zoomed', models.BooleanField(blank=True, help_text='Whether zoom was used.', null=True)),
                ('shown_px', models.PositiveIntegerField(blank=True, help_text='Device pixels of the side of each image as it was shown, before any zoom.', null=True)),
                ('language', models.CharField(blank=True, db_default='', default='', help_text='In which the question was read; empty: as the researcher wrote it.', max_length=16)),
                ('is_simulated', models.BooleanField()),
                ('voted_at', models.DateTimeField()),
                ('retracted_at', models.DateTimeField(blank=True, null=True)),
                ('annotator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='votes', to='accounts.annotator')),
                ('assignment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='votes', to='annotation.assignment')),
                ('exclusion', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='votes', to='annotation.exclusion')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('exclusion__isnull', False)), fields=['exclusion'], name='vote_excluded')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('exclusion__isnull', True), ('retracted_at__isnull', True)), fields=('assignment',), name='vote_one_per_assignment')],
            },
        ),
        migrations.AddField(
            model_name='enrolment',
            name='last_vote',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='annotation.vote'),
        ),
    ]
