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
    # Every view needs a signed-in staff member unless it says @login_not_required.
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
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
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
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

# --- People --------------------------------------------------------------------------------

SUPPORT_CONTACT = env("SUPPORT_CONTACT", "")

# --- Files ---------------------------------------------------------------------------------

# Where files are written before they are sent; the system's temporary folder by default.
EXPORT_DIR = env("EXPORT_DIR", "") or None
EXPORT_TIMEOUT_MS = env_int("EXPORT_TIMEOUT_MS", 600_000)
EXPORTS_A_DAY = env_int("EXPORTS_A_DAY", 200)
