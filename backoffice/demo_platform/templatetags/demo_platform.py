"""How the demo platform prints what it plays."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import template
from django.utils.translation import get_language

from backoffice.core.formatting import duration_text, instant_text

register = template.Library()


@register.filter
def moment(instant: datetime, zone: ZoneInfo) -> str:
    """Return the instant in the zone, as the page's language writes it."""
    return instant_text(instant, zone, get_language() or "en")


@register.filter
def runs(seconds: int) -> str:
    """Return the duration as "1:02:03"."""
    return duration_text(seconds)
