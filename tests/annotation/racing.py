"""One process of annotators that race, go away, come late, resend and change their mind.

test_concurrency.py forks it from a server that has loaded this module, and with it the platform, in
an environment that names the test database; it may be killed at any moment. Whatever the platform
acknowledged is written to a log, one line a vote, after the acknowledgement.
"""

import os
import random
import threading
import time
import traceback
import uuid

SAYS = {
    "pair": lambda rng, key: (rng.choice(["left", "tie", "right"]), ()),
    "keep_reject": lambda rng, key: (
        rng.choice(["keep", "unsure", "reject"]), tuple(rng.sample(["Lighting", "Story"], 1))
    ),
    "caption": lambda rng, key: (f"What {key} saw: " + "a long text, " * 60 + "whole", ()),
}  # fmt: skip
"""What somebody answers by form, and the heads that they mark."""


def main(campaign: str, first: int, count: int, seed: int, log_path: str) -> None:
    """Let `count` people of a campaign, from the `first` on, answer until there is no more."""
    from django.db import connection

    from evalplatform.annotation.models import Enrolment

    enrolments = list(
        Enrolment.objects.filter(campaign__slug=campaign)
        .select_related("campaign", "annotator")
        .order_by("pk")[first : first + count]
    )
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def run(enrolment: Enrolment) -> None:
        try:
            race(enrolment, random.Random(f"{seed}:{enrolment.pk}"), log)
        except Exception:
            os.write(log, f"FAILED {traceback.format_exc()!r}\n".encode())
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[each]) for each in enrolments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def race(enrolment, rng: random.Random, log: int) -> None:
    from django.utils import timezone

    from evalplatform.annotation.services import Answer, lease_items, record_vote, undo_vote
    from evalplatform.annotation.services.skipping import skip_assignment
    from evalplatform.annotation.statements import others_hold_the_rest

    lease = enrolment.campaign.lease_seconds
    while True:
        now = timezone.now()
        held = lease_items(enrolment=enrolment, want=rng.randint(1, 3), now=now)
        if not held:
            if not others_hold_the_rest(enrolment):
                return
            time.sleep(0.2)
            continue
        assignment = held[0]
        mood = rng.random()
        if mood < 0.02:
            time.sleep(lease * 1.5)  # the lease runs out; the answer comes all the same
        elif mood < 0.03:
            skip_assignment(
                enrolment=enrolment, public_id=assignment.public_id, reason="cannot_judge", now=now
            )
            continue
        key = uuid.uuid4()
        said, marks = SAYS[assignment.item.criterion.form](rng, key)
        answer = Answer(
            public_id=assignment.public_id, answer=said, idempotency_key=key, marks=marks
        )  # fmt: skip
        receipt = record_vote(enrolment=enrolment, answer=answer, now=timezone.now())
        os.write(log, f"{receipt.value} {answer.idempotency_key}\n".encode())
        if mood > 0.9:
            again = record_vote(enrolment=enrolment, answer=answer, now=timezone.now())
            assert again in ("repeated", "surplus"), again
        if mood > 0.98:
            undone = undo_vote(enrolment=enrolment, key=answer.idempotency_key, now=timezone.now())
            os.write(log, f"{undone.value} {answer.idempotency_key}\n".encode())
