"""Forms of signing in: allauth's, with what this site adds."""

from typing import Any

from allauth.account import forms as account_forms
from allauth.core import context
from allauth.mfa.base import forms as code_forms
from allauth.mfa.totp.forms import ActivateTOTPForm
from django import forms
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from evalplatform.accounts.lockout import count_failure, is_locked_out
from evalplatform.accounts.models import ApiToken, User
from evalplatform.accounts.tokens import revoke_every_token


class SignInForm(account_forms.LoginForm):
    """Name and password. How long one stays signed in is a setting, not a question."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.pop("remember", None)
        self.fields["password"].help_text = ""
        _no_placeholders(self)

    def add_prefix(self, field_name: str) -> str:
        """Let the field be called what it holds, to browsers and password managers too."""
        return super().add_prefix("username" if field_name == "login" else field_name)


class _RevokesTokens(forms.Form):
    """Asks whether the account's API tokens go with its password."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _no_placeholders(self)
        if "oldpassword" in self.fields:
            self.fields["oldpassword"].help_text = ""
        tokens = ApiToken.objects.filter(user=self.user, revoked_at=None).count()
        if tokens:
            self.fields["revoke_tokens"] = forms.BooleanField(
                required=False,
                initial=self.revokes_unasked,
                label=ngettext_lazy(
                    "Revoke the API token of this account too",
                    "Revoke the %(count)d API tokens of this account too",
                    tokens,
                )
                % {"count": tokens},
                help_text=_("Scripts that use them stop working. Do it if somebody else may know."),
            )

    revokes_unasked = False

    def save(self) -> None:
        with transaction.atomic():
            super().save()  # type: ignore[misc]  # of the form beside this one
            if self.cleaned_data.get("revoke_tokens"):
                revoke_every_token(user=self.user, now=timezone.now())


class ChangePasswordForm(_RevokesTokens, account_forms.ChangePasswordForm):
    """A new password for who knows the old one."""


class ResetPasswordForm(_RevokesTokens, account_forms.ResetPasswordKeyForm):
    """A new password by a link: asked for where the old one may be known to others."""

    revokes_unasked = True


class _LockedAfterWrongCodes(forms.Form):
    """Wrong one-time codes lock an account as wrong passwords do."""

    user: User

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _no_placeholders(self)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"

    def clean_code(self) -> str:
        if is_locked_out(request=context.request, user=self.user):
            raise forms.ValidationError(_("Locked for a while."))
        try:
            return super().clean_code()  # type: ignore[misc]  # of the form beside this one
        except forms.ValidationError:
            count_failure(request=context.request, user=self.user)
            raise


class CodeForm(_LockedAfterWrongCodes, code_forms.AuthenticateForm):
    """The code that a sign-in needs after the password."""


class CodeAgainForm(_LockedAfterWrongCodes, code_forms.ReauthenticateForm):
    """The code before something that needs a fresh proof of who is there."""


class FirstCodeForm(ActivateTOTPForm):
    """The code that shows that an app has the key."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _no_placeholders(self)
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


def _no_placeholders(form: forms.Form) -> None:
    """Labels say it already; a placeholder in their place is read badly."""
    for field in form.fields.values():
        field.widget.attrs.pop("placeholder", None)
