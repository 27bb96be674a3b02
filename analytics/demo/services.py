"""The two services as they are made: platforms, offers, sign-up fields, who their people are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from backoffice.audit.recording import SYSTEM
from backoffice.projects import actions
from backoffice.projects.models import Project
from subscriptions.models import Offer
from users.models import CustomField

HOME = "http://127.0.0.1:8000/demo-platform"

SUBSCRIPTION = Offer.Kind.SUBSCRIPTION
PACK = Offer.Kind.PACK
Type = CustomField.Type


@dataclass(frozen=True, slots=True)
class Service:
    """One project as it is made, and who its people are."""

    # What an action makes it with, and what it is given afterwards.
    project: dict[str, Any]
    settings: dict[str, Any]
    # (slug, name, kind, share of the accounts in percent)
    platforms: tuple[tuple[str, str, str, int], ...]
    offers: tuple[dict[str, Any], ...]
    fields: tuple[dict[str, Any], ...]
    # (culture, country, language, share of the people in thousandths)
    audience: tuple[tuple[str, str, str, int], ...]
    # A title is one of these followed by one of those.
    title_words: tuple[tuple[str, ...], tuple[str, ...]]


LUMIERE = Service(
    project={
        "slug": "lumiere",
        "name": "Lumière",
        "time_zone": "Europe/Paris",
        "currency": "EUR",
        "device_limit": 3,
        "has_trials": True,
    },
    settings={
        "languages": ["en", "fr"],
        "impersonation_reason": Project.ReasonRule.OFF,
    },
    platforms=(
        ("web", "Web", "web", 44),
        ("ios", "iOS", "ios", 20),
        ("android", "Android", "android", 24),
        ("tv", "TV", "tv", 9),
        ("box", "Set-top box", "other", 3),
    ),
    offers=(
        {
            "reference": "svod-monthly",
            "name": "Lumière monthly",
            "kind": SUBSCRIPTION,
            "price_minor": 999,
            "interval_months": 1,
            "trial_days": 14,
            "stripe_price_id": "price_1LumiereMonthly",
            "google_product_id": "lumiere.monthly",
            "apple_product_id": "example.lumiere.monthly",
        },
        {
            "reference": "svod-family",
            "name": "Lumière family",
            "kind": SUBSCRIPTION,
            "price_minor": 1499,
            "interval_months": 1,
            "stripe_price_id": "price_1LumiereFamily",
            "google_product_id": "lumiere.family",
            "apple_product_id": "example.lumiere.family",
        },
        {
            "reference": "svod-yearly",
            "name": "Lumière yearly",
            "kind": SUBSCRIPTION,
            "price_minor": 9990,
            "interval_months": 12,
            "trial_days": 14,
            "stripe_price_id": "price_1LumiereYearly",
            "google_product_id": "lumiere.yearly",
            "apple_product_id": "example.lumiere.yearly",
        },
        {
            "reference": "rent-48h",
            "name": "Rental, 48 hours",
            "kind": PACK,
            "price_minor": 399,
            "rental_days": 2,
        },
        {
            "reference": "pack-festival",
            "name": "Festival pack, 30 days",
            "kind": PACK,
            "price_minor": 1290,
            "rental_days": 30,
        },
        {
            "reference": "pack-forever",
            "name": "Classics for ever",
            "kind": PACK,
            "price_minor": 4900,
        },
    ),
    fields=(
        {
            "key": "birthday",
            "type": Type.DATE,
            "labels": {"en": "Birthday", "fr": "Anniversaire"},
        },
        {
            "key": "favourite_genre",
            "type": Type.CHOICE,
            "labels": {"en": "Favourite genre", "fr": "Genre préféré"},
            "choices": ["drama", "comedy", "documentary", "thriller", "animation", "classic"],
        },
        {
            "key": "newsletter",
            "type": Type.BOOLEAN,
            "labels": {"en": "Newsletter", "fr": "Lettre d'information"},
        },
        {
            "key": "household_size",
            "type": Type.NUMBER,
            "labels": {"en": "People in the household", "fr": "Personnes dans le foyer"},
        },
        {
            "key": "heard_from",
            "type": Type.TEXT,
            "labels": {"en": "How did you hear of us?", "fr": "Comment nous avez-vous connus ?"},
        },
        {
            "key": "fax_number",
            "type": Type.TEXT,
            "is_archived": True,
            "labels": {"en": "Fax number", "fr": "Numéro de fax"},
        },
    ),
    audience=(
        ("french", "FR", "fr", 560),
        ("french", "BE", "fr", 70),
        ("french", "CH", "fr", 50),
        ("french", "CA", "fr", 40),
        ("arabic", "MA", "fr", 40),
        ("arabic", "DZ", "fr", 25),
        ("arabic", "TN", "fr", 15),
        ("french", "SN", "fr", 20),
        ("portuguese", "PT", "fr", 30),
        ("spanish", "ES", "en", 30),
        ("german", "DE", "en", 25),
        ("english", "GB", "en", 25),
        ("greek", "GR", "en", 15),
        ("russian", "FR", "fr", 12),
        ("hebrew", "IL", "en", 10),
        ("chinese", "FR", "fr", 10),
        ("vietnamese", "FR", "fr", 10),
        ("hindi", "RE", "fr", 5),
        ("korean", "FR", "en", 3),
        ("english", "", "", 5),
    ),
    title_words=(
        ("Le jardin", "La lettre", "Un été", "Le train", "L'île", "La maison", "Le voyage",
         "Une nuit", "Le témoin", "La promesse", "Les enfants", "Le phare", "L'hôtel", "La forêt",
         "Le roi", "Une vie", "Les cœurs", "La rue", "L'archive", "Le dernier bal"),
        ("de minuit", "sans retour", "d'en face", "des autres", "à l'ombre", "du silence",
         "de verre", "au loin", "d'hiver", "aux étoiles", "de personne", "en bleu", "de Noël",
         "du dimanche", "sans nom", "à la dérive", "de papier", "d'août"),
    ),
)  # fmt: skip

AURORA = Service(
    project={
        "slug": "aurora",
        "name": "Aurora",
        "time_zone": "America/New_York",
        "currency": "USD",
        "device_limit": 5,
        "minimum_view_seconds": 30,
    },
    settings={
        "free_copies_need_activation": True,
        "impersonation_reason": Project.ReasonRule.OFF,
    },
    platforms=(
        ("web", "Web", "web", 38),
        ("ios", "iOS", "ios", 30),
        ("android", "Android", "android", 18),
        ("tv", "TV", "tv", 14),
    ),
    offers=(
        {
            "reference": "monthly",
            "name": "Aurora monthly",
            "kind": SUBSCRIPTION,
            "price_minor": 1299,
            "interval_months": 1,
            "stripe_price_id": "price_1AuroraMonthly",
            "google_product_id": "aurora.monthly",
            "apple_product_id": "example.aurora.monthly",
        },
        {
            "reference": "monthly-sports",
            "name": "Aurora sports",
            "kind": SUBSCRIPTION,
            "price_minor": 1999,
            "interval_months": 1,
            "stripe_price_id": "price_1AuroraSports",
            "google_product_id": "aurora.sports",
            "apple_product_id": "example.aurora.sports",
        },
        {
            "reference": "yearly",
            "name": "Aurora yearly",
            "kind": SUBSCRIPTION,
            "price_minor": 11900,
            "interval_months": 12,
            "stripe_price_id": "price_1AuroraYearly",
            "google_product_id": "aurora.yearly",
            "apple_product_id": "example.aurora.yearly",
        },
        {
            "reference": "rent-2d",
            "name": "48-hour rental",
            "kind": PACK,
            "price_minor": 499,
            "rental_days": 2,
        },
        {
            "reference": "season-pass",
            "name": "Season pass, 90 days",
            "kind": PACK,
            "price_minor": 2999,
            "rental_days": 90,
        },
        {
            "reference": "own-it",
            "name": "Own it",
            "kind": PACK,
            "price_minor": 1999,
        },
    ),
    fields=(
        {
            "key": "age_group",
            "type": Type.CHOICE,
            "labels": {"en": "Age group"},
            "choices": ["18-24", "25-34", "35-49", "50-64", "65+"],
        },
        {"key": "kids_profile", "type": Type.BOOLEAN, "labels": {"en": "Kids profile"}},
        {"key": "referral_code", "type": Type.TEXT, "labels": {"en": "Referral code"}},
        {"key": "screens", "type": Type.NUMBER, "labels": {"en": "Screens at home"}},
        {"key": "member_since", "type": Type.DATE, "labels": {"en": "Member of the club since"}},
    ),
    audience=(
        ("english", "US", "en", 640),
        ("spanish", "US", "en", 110),
        ("spanish", "MX", "en", 40),
        ("english", "CA", "en", 60),
        ("chinese", "US", "en", 30),
        ("korean", "US", "en", 25),
        ("hindi", "IN", "en", 25),
        ("vietnamese", "US", "en", 15),
        ("japanese", "JP", "en", 15),
        ("portuguese", "BR", "en", 15),
        ("russian", "US", "en", 10),
        ("hebrew", "US", "en", 8),
        ("greek", "US", "en", 5),
        ("english", "", "", 2),
    ),
    title_words=(
        ("Silent", "The Last", "Golden", "A Distant", "Hidden", "Broken", "Winter", "Crimson",
         "Paper", "Electric", "Lost", "The Second", "Northern", "Endless", "Little", "Secret",
         "Borrowed", "Blue", "O'Malley's", "Half a"),
        ("Harbour", "Letter", "Summer", "Orchard", "Signal", "Garden", "Voyage", "Kingdom",
         "Mirror", "Station", "Island", "Promise", "Lantern", "Archive", "River", "Parade",
         "Witness", "Hotel", "Jukebox", "Quarterback"),
    ),
)  # fmt: skip

SERVICES = (LUMIERE, AURORA)


def create_project(service: Service, *, created_at: datetime) -> Project:
    """Create the project with its platforms, offers and sign-up fields."""
    project = actions.create_project(**service.project, actor=SYSTEM, now=created_at)
    for name, value in service.settings.items():
        setattr(project, name, value)
    project.save(update_fields=service.settings.keys())
    for slug, name, kind, _ in service.platforms:
        platform = actions.create_platform(
            project=project,
            slug=slug,
            name=name,
            kind=kind,
            home_url=home(project, slug),
            actor=SYSTEM,
            now=created_at,
        )
        platform.password_reset_url = f"{platform.home_url}reset/"
        platform.save(update_fields=["password_reset_url"])
    Offer.objects.bulk_create(
        Offer(project=project, currency=project.currency, **offer) for offer in service.offers
    )
    for position, field in enumerate(service.fields):
        values = {key: value for key, value in field.items() if key != "is_archived"}
        archived_at = created_at + timedelta(days=30) if "is_archived" in field else None
        CustomField.objects.create(
            project=project, position=position, archived_at=archived_at, **values
        )
    return project


def home(project: Project, platform: str) -> str:
    """Return the home address of the platform: one of the small built-in ones."""
    return f"{HOME}/{project.slug}/{platform}/"
