"""The table of Django's database cache, as `createcachetable` makes it."""

from django.db import migrations

MAKE = """
CREATE TABLE cache_entry (
    cache_key varchar(255) NOT NULL PRIMARY KEY,
    value text NOT NULL,
    expires timestamp with time zone NOT NULL
);
CREATE INDEX cache_entry_expires ON cache_entry (expires);
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    operations = [migrations.RunSQL(MAKE, "DROP TABLE cache_entry;")]
