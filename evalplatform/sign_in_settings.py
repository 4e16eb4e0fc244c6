"""Settings of who may sign in and how; part of `evalplatform.settings`, which imports all of it.

django-allauth signs in (passwords, one-time codes, OpenID Connect); django-axes locks out.
"""

import re
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured

from evalplatform import env

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # refuses who is locked out, before a password is read
    "django.contrib.auth.backends.ModelBackend",
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "reports:campaign_list"
LOGOUT_REDIRECT_URL = "accounts:sign_in"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60
# How long a person stays signed in; annotators' cookies are another matter (SESSION_COOKIE_AGE).
SIGNED_IN_SECONDS = env.integer("SIGNED_IN_DAYS", 7, minimum=1, maximum=30) * 24 * 60 * 60

# Locking out: in the database, so that it holds for every process and machine, and over restarts.
AXES_HANDLER = "evalplatform.accounts.lockout.LockoutHandler"
AXES_USERNAME_CALLABLE = "evalplatform.accounts.lockout.username_of"
AXES_CLIENT_IP_CALLABLE = "evalplatform.core.addresses.client_network"
AXES_LOCKOUT_CALLABLE = "evalplatform.accounts.lockout.locked_out"
AXES_LOCKOUT_PARAMETERS = ["ip_address", ["username", "ip_address"]]
AXES_FAILURE_LIMIT = env.integer("SIGN_IN_FAILURES", 5, minimum=1, maximum=100)
AXES_COOLOFF_TIME = timedelta(
    minutes=env.integer("SIGN_IN_LOCK_MINUTES", 15, minimum=1, maximum=1440)
)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True  # who signed in when is nobody's business
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

ACCOUNT_ADAPTER = "evalplatform.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_LOGOUT_REDIRECT_URL = LOGOUT_REDIRECT_URL
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_SESSION_COOKIE_AGE = SIGNED_IN_SECONDS
ACCOUNT_FORMS = {
    "login": "evalplatform.accounts.forms.SignInForm",
    "change_password": "evalplatform.accounts.forms.ChangePasswordForm",
    "reset_password_from_key": "evalplatform.accounts.forms.ResetPasswordForm",
}
# Beside the lock, which counts per account and address: what one account may see from everywhere.
ACCOUNT_RATE_LIMITS = {"login": "60/m/ip", "login_failed": "200/h/key"}

# Mail is sent where EMAIL_HOST names a server; without one, links are printed by a command.
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_PORT = env.integer("EMAIL_PORT", 587, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("EMAIL_HOST_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD")
EMAIL_USE_SSL = env.flag("EMAIL_USE_SSL")
EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", bool(EMAIL_HOST) and not EMAIL_USE_SSL)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "evalplatform@localhost")

# One-time codes from an app. Operators must have them where the site is served by HTTPS.
OPERATORS_NEED_TOTP = env.flag("OPERATORS_NEED_TOTP", env.flag("HTTPS"))
MFA_ADAPTER = "evalplatform.accounts.adapters.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses are written by operators
MFA_TOTP_ISSUER = "evalplatform"
MFA_TOTP_TOLERANCE = 1  # half a minute, for clocks that are not quite right
MFA_FORMS = {
    "activate_totp": "evalplatform.accounts.forms.FirstCodeForm",
    "authenticate": "evalplatform.accounts.forms.CodeForm",
    "reauthenticate": "evalplatform.accounts.forms.CodeAgainForm",
}

# An identity provider of the group, by OpenID Connect: chosen by the environment alone.
OIDC_ISSUER = env.text("OIDC_ISSUER").rstrip("/")
OIDC_CLIENT_ID = env.text("OIDC_CLIENT_ID")
_OIDC_SECRET = env.text("OIDC_CLIENT_SECRET")
OIDC_NAME = env.text("OIDC_NAME", "your organisation")
# New accounts are made for people of these mail domains alone; nobody else's.
OIDC_NEW_USERS_FROM = [domain.lower() for domain in env.names("OIDC_NEW_USERS_FROM")]
if OIDC_ISSUER:
    if not re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", f"{OIDC_ISSUER}/"):
        raise ImproperlyConfigured(f"OIDC_ISSUER={OIDC_ISSUER!r} must begin with https://.")
    if not OIDC_CLIENT_ID or not _OIDC_SECRET:
        raise ImproperlyConfigured(
            "OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET (or OIDC_CLIENT_SECRET_FILE), "
            "as the provider gave them."
        )
    if any("." not in domain or "@" in domain for domain in OIDC_NEW_USERS_FROM):
        raise ImproperlyConfigured(
            f"OIDC_NEW_USERS_FROM={','.join(OIDC_NEW_USERS_FROM)!r} must be mail domains, "
            "comma-separated, e.g. example.org,lab.example.org."
        )
SOCIALACCOUNT_ADAPTER = "evalplatform.accounts.adapters.SocialAccountAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a link: a form that leads elsewhere is refused by form-action
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = ""
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": "organisation",
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": _OIDC_SECRET,
                "settings": {"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
            }
        ]
        if OIDC_ISSUER
        else []
    }
}
