"""The database behind DATABASE_URL, or the embedded server when none is named."""

from typing import Any

from psycopg.conninfo import conninfo_to_dict

from backoffice.env import env


def database_settings() -> dict[str, Any]:
    """Return Django's settings of the database."""
    parts = conninfo_to_dict(env("DATABASE_URL"))
    return {
        "NAME": parts.pop("dbname", "backoffice"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": parts,
    }
