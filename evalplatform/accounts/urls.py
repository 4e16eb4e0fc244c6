"""Accounts: this site's own pages by `accounts:` names, allauth's by the names allauth uses."""

from allauth.account import views as account_views
from allauth.mfa.base import views as mfa_views
from allauth.socialaccount import views as social_views
from django.urls import include, path, re_path

from evalplatform.accounts.views import SetUpCodes, api_tokens, ask_for_password_link, revoke

_own = [
    path("sign-in/", account_views.login, name="sign_in"),
    path("sign-out/", account_views.logout, name="sign_out"),
    path("tokens/", api_tokens, name="api_tokens"),
    path("tokens/<int:identifier>/revoke/", revoke, name="revoke_api_token"),
]
# Of allauth's routes those this site has a use for: nobody registers, changes their address, or
# asks for a code by mail.
urlpatterns = [
    path("", include((_own, "accounts"))),
    path("sign-in/", account_views.login, name="account_login"),
    path("sign-out/", account_views.logout, name="account_logout"),
    path("inactive/", account_views.account_inactive, name="account_inactive"),
    path("again/", account_views.reauthenticate, name="account_reauthenticate"),
    path("password/", account_views.password_change, name="account_change_password"),
    path("password/first/", account_views.password_set, name="account_set_password"),
    path("password/forgotten/", ask_for_password_link, name="account_reset_password"),
    path(
        "password/forgotten/sent/",
        account_views.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^password/new/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        account_views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "password/new/done/",
        account_views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    path("security/", mfa_views.index, name="mfa_index"),
    path("security/code/", mfa_views.authenticate, name="mfa_authenticate"),
    path("security/again/", mfa_views.reauthenticate, name="mfa_reauthenticate"),
    path("security/app/activate/", SetUpCodes.as_view(), name="mfa_activate_totp"),
    path("security/app/", include("allauth.mfa.totp.urls")),
    path("security/recovery-codes/", include("allauth.mfa.recovery_codes.urls")),
    path("oidc/", include("allauth.socialaccount.providers.openid_connect.urls")),
    path("oidc-cancelled/", social_views.login_cancelled, name="socialaccount_login_cancelled"),
    path("oidc-failed/", social_views.login_error, name="socialaccount_login_error"),
    path("oidc-new/", social_views.signup, name="socialaccount_signup"),
]
