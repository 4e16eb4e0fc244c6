"""The form that makes invitations."""

from django import forms

from evalplatform.annotation.services.inviting import MOST_AT_ONCE


class InviteForm(forms.Form):
    """How many, or for whom; and how long they are good for."""

    count = forms.IntegerField(
        label="How many", required=False, min_value=1, max_value=MOST_AT_ONCE, initial=10
    )
    names = forms.CharField(
        label="Or a label for each, one a line",
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    days = forms.IntegerField(
        label="Good for so many days (empty: no end)",
        required=False,
        min_value=1,
        max_value=3650,
        initial=14,
    )

    @property
    def labels(self) -> list[str]:
        """The labels given, or as many empty ones as asked for; of a valid form."""
        lines = [line.strip() for line in self.cleaned_data["names"].splitlines()]
        return [line for line in lines if line] or [""] * (self.cleaned_data["count"] or 0)
