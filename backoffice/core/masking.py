"""
Names and e-mails as those see them who may not see identities.

Each rule stands here twice, in Python for what is composed here and in SQL for rows that never
pass through Python (lists, files by COPY); a test holds the two together. Masking hides a
person from a reader, it does not anonymise.
"""

import re
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func, TextField
from django.db.models.sql.compiler import SQLCompiler

# Written out, because Python and PostgreSQL differ on what else is white space.
_GAP: Final = r" \t\n\v\f\r\u00A0\u2000-\u200A\u3000"


def mask_email(email: str) -> str:
    """Return "j***@e***.com" for "jane@example.com": two first letters and the last label."""
    if not email:
        return ""
    local, at, domain = email.rpartition("@")
    if not at:
        return f"{email[0]}***"
    _name, dot, label = domain.rpartition(".")
    return f"{local[:1]}***@{domain[:1]}***{dot}{label if dot else ''}"


def mask_name(name: str) -> str:
    """Return the initials, "J. D." for "Jane Doe"; nothing for no name."""
    return " ".join(f"{word[0]}." for word in re.findall(f"[^{_GAP}]+", name))


class _MaskedText(Func):
    """A rule whose SQL names its one argument more than once."""

    arity = 1
    output_field = TextField()
    rule: str

    def as_sql(  # type: ignore[override]
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra: Any
    ) -> tuple[str, tuple[Any, ...]]:
        sql, params = compiler.compile(self.source_expressions[0])
        return self.rule.replace("{text}", sql), tuple(params) * self.rule.count("{text}")


class MaskedEmail(_MaskedText):
    """`mask_email` of a column; null stays null."""

    rule = (
        "(CASE WHEN {text} = '' THEN ''"
        " WHEN position('@' in {text}) = 0 THEN left({text}, 1) || '***'"
        " ELSE left(substring({text} from '^(.*)@'), 1) || '***@'"
        " || left(substring({text} from '[^@]*$'), 1) || '***'"
        " || coalesce(substring({text} from '\\.[^.@]*$'), '') END)"
    )


class MaskedName(_MaskedText):
    """`mask_name` of a column; null stays null."""

    rule = (
        f"rtrim(regexp_replace(regexp_replace({{text}}, '[{_GAP}]+$', ''),"
        f" '[{_GAP}]*([^{_GAP}])[^{_GAP}]*', '\\1. ', 'g'))"
    )
