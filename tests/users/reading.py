"""Reading pages as a machine does, by the attributes that are promised, and as a person does."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from users.models import User


@dataclass
class Seen(HTMLParser):
    """What one answer of the Users page says."""

    html: str
    cards: dict[str, dict[str, str]] = field(default_factory=dict)
    total: int | None = None
    deleted: int | None = None
    rows: list[tuple[str, str]] = field(default_factory=list)
    """Public id and status of each row, in order."""
    links: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "data-card" in attrs:
            self.cards[attrs["data-card"]] = attrs
        if "data-total" in attrs:
            self.total, self.deleted = int(attrs["data-total"]), int(attrs["data-deleted"])
        if "data-user" in attrs:
            self.rows.append((attrs["data-user"], attrs["data-status"]))
        if tag == "a":
            self.links.append(attrs)

    def to(self, rel):
        """Return the address of the link of that relation, or none."""
        return next((link["href"] for link in self.links if link.get("rel") == rel), None)

    @property
    def last_names(self):
        names = {str(u.public_id): u.last_name for u in User.objects.all()}
        return [names[public_id] for public_id, _status in self.rows]


def seen(response, status=200):
    assert response.status_code == status, response.content.decode()
    return Seen(response.content.decode())


def page_of(response, status=200):
    assert response.status_code == status, response.content.decode()
    return response.content.decode()


def words(html):
    """Return what is read on a page, single-spaced, without tags."""
    bare = re.sub(r"<script.*?</script>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(bare.replace("\u202f", " ").replace("\xa0", " ").split())
