"""Settings, read top to bottom. What differs between machines comes from the environment."""

from pathlib import Path
from typing import Any

import django_stubs_ext
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from backoffice import postgres
from backoffice.core.logs import logging_settings
from backoffice.env import (
    env,
    env_address,
    env_base_url,
    env_bool,
    env_contact,
    env_email,
    env_host_port,
    env_hosts,
    env_int,
    env_secret,
    local_key,
)

# Lets FilterSet[User] and the like be written; django-stubs asks for it.
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent

# --- Where it runs -------------------------------------------------------------------------

PRODUCTION = env_bool("PRODUCTION")
SECRET_KEY_LENGTH = 50
# What must be named in production may be left out elsewhere.
_optional = None if PRODUCTION else ""

DEBUG = False
# The embedded database, files and keys.
DATA_DIR = postgres.data_folder()
SECRET_KEY = env_secret("SECRET_KEY", _optional) or local_key(DATA_DIR, "secret-key")
ALLOWED_HOSTS = env_hosts(
    "ALLOWED_HOSTS",
    None if PRODUCTION else ["localhost", ".localhost", "127.0.0.1", "[::1]"],
    may_be_any=not PRODUCTION,
)

if PRODUCTION:
    env("DATABASE_URL")
    env("TRUSTED_PROXY_HOPS")
    if len(SECRET_KEY) < SECRET_KEY_LENGTH:
        raise ImproperlyConfigured("SECRET_KEY: use 50 random characters or more.")

# --- Apps ----------------------------------------------------------------------------------

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.forms",
    "django_filters",
    "import_export",
    "procrastinate.contrib.django",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "backoffice.core",
    "backoffice.projects",
    "backoffice.audit",
    "backoffice.staff",
    "backoffice.jobs",
    "users",
    "subscriptions",
    "analytics",
]

MIDDLEWARE = [
    # The number of the request, its log line and its metrics: around everything.
    "backoffice.core.middleware.RequestLog",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backoffice.core.middleware.NeverCached",
    "backoffice.core.middleware.ContentSecurityPolicyMiddleware",
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
# Widgets may have templates of the project.
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

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

# A page that needs more than this is a page that needs a roll-up.
STATEMENT_TIMEOUT_MS = env_int("STATEMENT_TIMEOUT_MS", 15000)

DATABASE_OPTIONS = {
    "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC",
    # A network that swallows packets is noticed within seconds, not after two hours.
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10000,
    # The ingest has its statements planned once a connection (psycopg's cursors; Django's own
    # never do). Django's default forbids it.
    "prepare_threshold": 1,
}

try:
    _database: dict[str, Any] = postgres.database_settings()
except postgres.DatabaseFailed as _failure:
    raise ImproperlyConfigured(str(_failure)) from _failure

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        **_database,
        # What DATABASE_URL says itself (sslmode, connect_timeout) goes before our defaults.
        "OPTIONS": DATABASE_OPTIONS | _database["OPTIONS"],
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Throttles and one-time marks must be the same for all processes, so the cache is a table.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "backoffice_cache",
    }
}

# --- Staff ---------------------------------------------------------------------------------

AUTH_USER_MODEL = "staff.StaffMember"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/users/"
REQUIRE_SECOND_FACTOR = env_bool("REQUIRE_SECOND_FACTOR", default=True)

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# A session ends this long after the sign-in, and this long after the last request.
SESSION_HOURS = 12
SESSION_IDLE_MINUTES = 30
# A proof by password counts this long for the acts of core.permissions.STEP_UP.
STEP_UP_MINUTES = 15

# django-allauth: sign-in by e-mail, second factor. Its other pages are not mounted.
ACCOUNT_ADAPTER = "backoffice.staff.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
# Closing the browser ends the session, SESSION_HOURS at the latest.
ACCOUNT_SESSION_REMEMBER = False
# Only failures count: for an address of the network, and for an account.
ACCOUNT_RATE_LIMITS = {"login": None, "login_failed": "20/m/ip,5/5m/key"}
MFA_ADAPTER = "backoffice.staff.adapters.SecondFactorAdapter"
MFA_ALLOW_UNVERIFIED_EMAIL = True
# backoffice.staff.step_up asks in its place.
MFA_REAUTHENTICATION_REQUIRED = False
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Back office"
# Half a minute either way, for clocks that differ and people who type slowly.
MFA_TOTP_TOLERANCE = 1

# --- Cookies, headers, limits of a request -------------------------------------------------

# Outside production pages are served over plain http on loopback, where neither a Secure cookie
# nor a __Host- one would be kept.
_cookie_prefix = "__Host-" if PRODUCTION else ""

SESSION_COOKIE_NAME = f"{_cookie_prefix}session"
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_SECURE = PRODUCTION
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{_cookie_prefix}csrf"
CSRF_COOKIE_SECURE = PRODUCTION
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_NAME = f"{_cookie_prefix}language"
LANGUAGE_COOKIE_SECURE = PRODUCTION
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"

# How many proxies of the operator's stand in front; each adds one entry to X-Forwarded-For.
# More than ten are a slip of the finger, with which nobody's address would be known.
TRUSTED_PROXY_HOPS = env_int("TRUSTED_PROXY_HOPS", 0, most=10)
if TRUSTED_PROXY_HOPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

SECURE_SSL_REDIRECT = PRODUCTION
# Machines ask these directly, without the proxy that speaks TLS.
SECURE_REDIRECT_EXEMPT = [r"^health/(live|ready)$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if PRODUCTION else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = PRODUCTION
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Preloading a domain into browsers is the operator's own and hardly reversible decision.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# The name and form of Django 6.0, whose own middleware can take over one day.
SECURE_CSP = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}

# The largest body is one of the API for platforms.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 5

# --- Languages, time -----------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("fr", _("French"))]
LOCALE_PATHS = [BASE_DIR / "backoffice" / "locale"]
USE_I18N = True
# English days as everywhere else: "3 Nov 2026", where 11/03 and 03/11 would be guessed at.
FORMAT_MODULE_PATH = "backoffice.core.formats"
USE_TZ = True
TIME_ZONE = "UTC"

# --- Static files --------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# In production `prepare` collects them under names that tell their content; elsewhere they are
# served from where they lie, as they are.
STATIC_ROOT = BASE_DIR / "staticfiles" if PRODUCTION else None
WHITENOISE_USE_FINDERS = not PRODUCTION
_static_storage = (
    "backoffice.core.static_files.HashedStaticFiles"
    if PRODUCTION
    else "django.contrib.staticfiles.storage.StaticFilesStorage"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _static_storage},
}

# --- API for platforms ---------------------------------------------------------------------

# What one key may send in the long run, and at once after a pause.
API_REQUESTS_PER_SECOND = env_int("API_REQUESTS_PER_SECOND", 50, least=1)
API_BURST_SECONDS = 2
# How often signing in to a platform may fail, for one e-mail and for one address of the network;
# what is used up comes back within these minutes. A platform whose server signs its users in is
# one address.
SIGN_IN_FAILURES_PER_EMAIL = env_int("SIGN_IN_FAILURES_PER_EMAIL", 5, least=1)
SIGN_IN_FAILURES_PER_ADDRESS = env_int("SIGN_IN_FAILURES_PER_ADDRESS", 30, least=1)
SIGN_IN_FAILURE_MINUTES = env_int("SIGN_IN_FAILURE_MINUTES", 5, least=1)
# How many mails with a reset link one address of a project may be sent in an hour.
RESET_MAILS_PER_HOUR = 3
RESET_LINK_MINUTES = 60
# The largest body read into memory, of a platform or of a form; files are no part of it.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024

# --- Logs, metrics -------------------------------------------------------------------------

# An exception's own words may hold personal data: in production only its kind and place are kept.
LOGGING = logging_settings(with_messages_of_exceptions=not PRODUCTION)
# HOST:PORT on which /metrics answers; none, no metrics.
METRICS_ADDR = env_host_port("METRICS_ADDR")

# --- Providers of payments -----------------------------------------------------------------

# A local server can stand in for Stripe; the keys go there.
STRIPE_API_BASE = env_base_url("STRIPE_API_BASE", "https://api.stripe.com")
GOOGLE_API_BASE = "https://androidpublisher.googleapis.com"
GOOGLE_CERTIFICATES_URL = "https://www.googleapis.com/oauth2/v1/certs"
# Empty: Apple's own, of production or of the sandbox.
APPLE_API_BASE = ""
# Whether Apple is asked if a certificate was taken back.
APPLE_ONLINE_CHECKS = PRODUCTION
# The largest event that a provider may send.
WEBHOOK_MAX_BYTES = 1024 * 1024

# --- People, mail --------------------------------------------------------------------------

SUPPORT_CONTACT = env_contact("SUPPORT_CONTACT", _optional)
DEFAULT_FROM_EMAIL = env_address("MAIL_FROM", None if PRODUCTION else "backoffice@localhost")
globals().update(env_email("EMAIL_URL", _optional))
# Without a mail server mails stay in their register.
MAIL_LEAVES = bool(env("EMAIL_URL", ""))
MAIL_KEPT_DAYS = 90
# Where nobody's account is at stake, the register shows what a mail's secret link is.
MAIL_SHOWS_SECRETS = not PRODUCTION
INVITATION_DAYS = 7
# The link of a staff invitation; nothing else uses Django's tokens.
PASSWORD_RESET_TIMEOUT = INVITATION_DAYS * 24 * 3600

# --- Background work -----------------------------------------------------------------------

# How much one worker does side by side: long jobs, and everything short.
WORKER_JOBS = env_int("WORKER_JOBS", 2, least=1)
WORKER_TASKS = env_int("WORKER_TASKS", 2, least=1)

# --- Files ---------------------------------------------------------------------------------

# Where files are written before they are sent; the system's temporary folder by default.
EXPORT_DIR = env("EXPORT_DIR", "") or None
# What takes longer than this within its request becomes a job; at 0 every file of a list does.
EXPORT_SECONDS_AT_ONCE = env_int("EXPORT_SECONDS_AT_ONCE", 8)
EXPORT_TIMEOUT_MS = env_int("EXPORT_TIMEOUT_MS", 600_000)
EXPORTS_A_DAY = env_int("EXPORTS_A_DAY", 200)

# What one file of an import may hold, said before it is chosen.
IMPORT_MAX_BYTES = 100 * 1024 * 1024
IMPORT_MAX_ROWS = 1_000_000
IMPORT_MAX_COLUMNS = 200
# How much an XLSX may unpack to, all of it and against its own size.
IMPORT_MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
IMPORT_MAX_UNPACKED_RATIO = 200
# So long an import that nobody confirmed is kept.
IMPORT_HOURS = 24

# --- Impersonation -------------------------------------------------------------------------

# The operator's own switch; the one on the register's page acts at once and needs no restart.
IMPERSONATION = env_bool("IMPERSONATION", default=True)
IMPERSONATIONS_A_DAY = env_int("IMPERSONATIONS_A_DAY", 50)
IMPERSONATION_TICKET_SECONDS = 60
IMPERSONATION_MINUTES = 30

# --- Demo platform -------------------------------------------------------------------------

# The small built-in platform shows the way from end to end; production has real ones.
if not PRODUCTION:
    INSTALLED_APPS.append("backoffice.demo_platform")
    # Before anything looks at cookies.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("django.contrib.sessions.middleware.SessionMiddleware"),
        "backoffice.demo_platform.middleware.OwnCookies",
    )
