"""Whatever belongs to a project stays in it: the database says so of every such table."""

import pytest
from django.apps import apps
from django.db import connection

from evalplatform.accounts.models import InProject

pytestmark = pytest.mark.django_db
BELONGING = [each for each in apps.get_models() if issubclass(each, InProject)]
_TRIGGERS = """
SELECT tgrelid::regclass::text FROM pg_trigger
WHERE tgfoid = 'project_refuse_move'::regproc AND tgenabled = 'O'
"""


def test_every_table_of_a_project_refuses_a_move():
    with connection.cursor() as cursor:
        cursor.execute(_TRIGGERS)
        guarded = {name for (name,) in cursor.fetchall()}
    assert len(BELONGING) > 15
    assert {each._meta.db_table for each in BELONGING} - guarded == set()
