"""How far something is, told from outside of the transaction that does it."""

import time

import pytest
from django.db import connections, transaction

from evalplatform.accounts.models import Project
from evalplatform.core.telling import HowFar, Teller


@pytest.mark.django_db(transaction=True)
def test_what_is_told_is_there_before_the_transaction_ends_and_stays_when_it_is_taken_back():
    Project.objects.create(name="watched")
    own = connections["default"]

    def write(far: HowFar) -> None:
        assert connections["default"] is not own
        Project.objects.filter(name="watched").update(upload_quota_bytes=far.done)

    with transaction.atomic():
        with Teller(write, seconds=0.02) as teller:
            teller.about("packing")(7, 12)
            until = time.monotonic() + 5
            while not Project.objects.filter(upload_quota_bytes=7).exists():
                assert time.monotonic() < until
                time.sleep(0.01)
        transaction.set_rollback(True)
    assert Project.objects.get().upload_quota_bytes == 7


def test_fault_of_telling_stops_nothing(caplog):
    told = []

    def write(far: HowFar) -> None:
        told.append(far)
        if len(told) == 1:
            raise RuntimeError("away")

    with Teller(write, seconds=0.01):
        until = time.monotonic() + 5
        while len(told) < 2:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert "could not be told" in caplog.text
