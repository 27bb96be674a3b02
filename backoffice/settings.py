"""Settings, read top to bottom. What differs between machines comes from the environment."""

from pathlib import Path
from typing import Any

import django_stubs_ext
from django.utils.translation import gettext_lazy as _

from backoffice import postgres
from backoffice.env import env, env_bool, env_int, env_list, env_secret

# Lets FilterSet[User] and the like be written; django-stubs asks for it.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where it runs -------------------------------------------------------------------------

PRODUCTION = env_bool("PRODUCTION")
DEBUG = False
SECRET_KEY = env_secret("SECRET_KEY", None if PRODUCTION else "not-a-secret-outside-production")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS") or ([] if PRODUCTION else ["*"])

# --- Apps ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django_filters",
    "import_export",
    "django_htmx",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "backoffice.core",
    "backoffice.projects",
    "backoffice.audit",
    "backoffice.staff",
    "users",
    "subscriptions",
    "analytics",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "backoffice.staff.middleware.SessionLimits",
    "backoffice.staff.middleware.StaffLanguage",
    # Every view needs a signed-in staff member unless it says @login_not_required.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "backoffice.staff.middleware.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]

ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backoffice.staff.context_processors.staff",
            ],
        },
    },
]

# --- Database ------------------------------------------------------------------------------

DATABASE_OPTIONS = {
    # A page that needs more than this is a page that needs a roll-up.
    "options": f"-c statement_timeout={env_int('STATEMENT_TIMEOUT_MS', 15000)} -c timezone=UTC",
}

_database: dict[str, Any] = postgres.database_settings()
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        **_database,
        "OPTIONS": {**_database.get("OPTIONS", {}), **DATABASE_OPTIONS},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Staff ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "staff.StaffMember"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/users/"
REQUIRE_SECOND_FACTOR = env_bool("REQUIRE_SECOND_FACTOR", default=True)

# How long a session lasts unused, and at most; how long a proof by password counts.
SESSION_IDLE_MINUTES = 30
SESSION_HOURS = 12
STEP_UP_MINUTES = 15
SESSION_COOKIE_AGE = SESSION_HOURS * 60 * 60

ACCOUNT_ADAPTER = "backoffice.staff.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
# Only failures count; allauth takes back what a success used.
ACCOUNT_RATE_LIMITS = {
    "login": None,
    "login_failed": env("SIGN_IN_FAILURES", "20/m/ip,5/5m/key"),
}
MFA_ADAPTER = "backoffice.staff.adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
# backoffice.staff.step_up asks in its place.
MFA_REAUTHENTICATION_REQUIRED = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Back office"
# Half a minute either way, for clocks that differ and people who type slowly.
MFA_TOTP_TOLERANCE = 1
# The client's address is the one that the outermost of so many proxies saw.
TRUSTED_PROXY_HOPS = env_int("TRUSTED_PROXY_HOPS", 0)

# --- Cache ---------------------------------------------------------------------------------

# Throttles count here, so all processes must share it.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "backoffice_cache",
    }
}

# --- Languages, time -----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "backoffice" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files --------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"

# --- API for platforms ---------------------------------------------------------------------

# What one key may send in the long run, and at once after a pause.
API_REQUESTS_PER_SECOND = env_int("API_REQUESTS_PER_SECOND", 50, least=1)
API_BURST_SECONDS = 2
# The largest body read into memory, of a platform or of a form; files are no part of it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# --- People --------------------------------------------------------------------------------

SUPPORT_CONTACT = env("SUPPORT_CONTACT", "")
