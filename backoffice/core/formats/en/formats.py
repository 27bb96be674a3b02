"""The form of a day that `core.formatting.day_text` gives too."""

SHORT_DATE_FORMAT = "j M Y"
