"""Erasing who somebody with an account is; what they made stays."""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction

from evalplatform.accounts.lockout import unlock
from evalplatform.accounts.members import remove_member
from evalplatform.accounts.models import ApiToken, Project, User
from evalplatform.core.sessions import delete_sessions

ERASED = "erased-"


def erase_user(*, user: User) -> None:
    """Close an account and remove name, address, password, codes, tokens and sessions.

    The row stays without them, so that what the account made keeps its history. Doing it again
    changes nothing.

    Raises:
        BadInputError: they are the last owner of a project.
    """
    with transaction.atomic():
        for project in Project.objects.filter(memberships__user=user):
            remove_member(project=project, user=user)
        unlock(username=user.get_username())
        for model in (ApiToken, Authenticator, EmailAddress, SocialAccount):
            model.objects.filter(user=user).delete()
        of_user = LogEntry.objects.filter(
            content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk)
        )
        name = f"{ERASED}{user.pk}"
        of_user.update(object_repr=name)
        user.username, user.email, user.first_name, user.last_name = name, "", "", ""
        user.is_active = user.is_staff = user.is_superuser = False
        user.role, user.last_login = User.Role.RESEARCHER, None
        if user.has_usable_password():  # an unusable one is random, each time another
            user.set_unusable_password()
        user.save()
        user.groups.clear()
        user.user_permissions.clear()
        delete_sessions(holds=lambda content: content.get("_auth_user_id") == str(user.pk))
