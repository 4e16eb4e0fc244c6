from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin

from evalplatform.accounts.models import Annotator, User
from evalplatform.core.admin import AuditAdmin

admin.site.register(User, UserAdmin)
# Secrets of codes, and identity providers: the first are nobody's to look at, the second are
# chosen by the environment alone.
for _model in (EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken):
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(Annotator)
class AnnotatorAdmin(AuditAdmin):
    """Access keys stay out of sight: they would let an operator vote as somebody else."""

    list_display = ["pseudonym", "is_simulated", "created_at"]
    list_filter = ["is_simulated"]
    exclude = ["access_key"]
