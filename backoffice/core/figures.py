"""The closed lists of figures: the numbers whose users can be listed, the grains of a chart."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Counted(models.TextChoices):
    """A number of the Users page, as the parameter `counted` names it (docs/metrics.md)."""

    REGISTERED = "registered", _("Registered in the month")
    ACTIVE = "active", _("Active in the month")
    ACTIVE_NOW = "active-now", _("Active at the end")
    VIEWERS = "viewers", _("Watched something in the month")
    TRIAL = "trial", _("In trial in the month")
    TRIAL_ENDING = "trial-ending", _("Trial ends within 3 days")
    UNSUBSCRIBED = "unsubscribed", _("Unsubscribed in the month")
    ASKED_TO_STOP = "asked-to-stop", _("Asked to stop, still has access")
    START = "start", _("Active at the start")
    NEW = "new", _("New in the month")
    BACK = "back", _("Back in the month")
    GONE = "gone", _("Gone in the month")
    CAME_AND_LEFT = "came-and-left", _("Came and left within the month")


class Grain(models.TextChoices):
    """How much time one bar of the chart stands for."""

    DAY = "day", _("Day")
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
