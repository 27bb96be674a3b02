"""Text made comparable in the database, as `backoffice.core.text.fold` does it in Python."""

from django.db.models import Func, TextField


class Folded(Func):
    """
    A text without case and accents, by which rows are put in order; null stays null.

    Near to `fold`, not equal: what cannot be seen stays. Titles are sorted by it, people are not.
    """

    arity = 1
    output_field = TextField()
    template = (
        "(replace(replace(translate(regexp_replace("
        "lower(normalize(lower(%(expressions)s), NFKD)), '[\u0300-\u036f]', '', 'g'),"
        " 'łøđðıħ', 'loddih'), 'œ', 'oe'), 'æ', 'ae') COLLATE \"C\")"
    )
