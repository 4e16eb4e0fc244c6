"""The form by which somebody adds a webhook."""

from django import forms

from evalplatform.webhooks.models import WebhookEndpoint

_EVENTS = [
    (value, f"{value}: {str(label)[:1].lower()}{str(label)[1:]}")
    for value, label in WebhookEndpoint.Event.choices
]


class WebhookForm(forms.Form):
    """An address, and what it is told of. Whether it may be told, the service decides."""

    url = forms.CharField(
        label="Address", max_length=500, widget=forms.TextInput(attrs={"inputmode": "url"}),
        help_text="https://HOST/PATH, public: addresses inside are refused.",
    )  # fmt: skip
    description = forms.CharField(
        label="What it is for", max_length=200, required=False, widget=forms.TextInput()
    )
    events = forms.MultipleChoiceField(
        label="Events", choices=_EVENTS, widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one event."},
    )  # fmt: skip
