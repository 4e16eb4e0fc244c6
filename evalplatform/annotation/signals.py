"""What other apps may react to."""

from django.dispatch import Signal

# Sent after the commit with `enrolment` and `purpose` (an Assignment.Purpose).
vote_recorded = Signal()
