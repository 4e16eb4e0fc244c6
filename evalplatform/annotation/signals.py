"""What other apps may react to."""

from django.dispatch import Signal

# Sent after the commit with `enrolment`; not with what the vote was on, so that no answer takes
# longer, or ends anything, because it was on a check.
vote_recorded = Signal()
