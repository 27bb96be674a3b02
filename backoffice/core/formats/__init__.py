"""How templates write days, where that differs from Django's own way."""
