"""A checkpoint knows its parent by hash, so that the parent may come later."""

import django.db.models.deletion
import django.db.models.functions.comparison
import django.db.models.lookups
from django.db import migrations, models

COPY = """
UPDATE checkpoints_checkpoint AS child SET parent_sha256 = parent.sha256
FROM checkpoints_checkpoint AS parent WHERE parent.id = child.former_parent_id
"""


class Migration(migrations.Migration):

    dependencies = [('checkpoints', '0005_retirement')]

    operations = [
        migrations.RemoveConstraint(model_name='checkpoint', name='checkpoint_not_its_own_parent'),
        migrations.RenameField('checkpoint', 'parent', 'former_parent'),
        migrations.AlterField(
            model_name='checkpoint',
            name='former_parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='checkpoints.checkpoint'),
        ),
        migrations.AddField(
            model_name='checkpoint',
            name='parent',
            field=models.ForeignKey(blank=True, db_column='parent_sha256', db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='checkpoints.checkpoint', to_field='sha256'),
        ),
        migrations.RunSQL(COPY, migrations.RunSQL.noop),
        migrations.RemoveField('checkpoint', 'former_parent'),
        migrations.AddConstraint(
            model_name='checkpoint',
            constraint=models.CheckConstraint(condition=models.Q(('parent', models.F('sha256')), _negated=True), name='checkpoint_not_its_own_parent'),
        ),
        migrations.AddConstraint(
            model_name='checkpoint',
            constraint=models.CheckConstraint(condition=models.Q(('parent', None), django.db.models.lookups.Regex(django.db.models.functions.comparison.Cast('parent', models.CharField()), '^[0-9a-f]{64}$'), _connector='OR'), name='checkpoint_parent_is_hex'),
        ),
    ]
