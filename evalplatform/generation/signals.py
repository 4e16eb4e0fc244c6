"""What other apps may react to."""

from django.dispatch import Signal

# Sent after the commit with the request's `name` and `now`, when the last of its batches is done.
request_finished = Signal()
