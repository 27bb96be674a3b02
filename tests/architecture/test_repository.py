"""Migrations, translations and static files: complete, and fit for production."""

from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from backoffice.core.translations import missing_messages

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize(
    "source",
    sorted((ROOT / "backoffice/locale").glob("*/LC_MESSAGES/*.po")),
    ids=lambda path: path.parent.parent.name,
)
def test_every_text_is_translated(source):
    assert missing_messages(ROOT, source) == []


def test_static_files_can_be_collected_for_production(tmp_path, settings):
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }

    call_command("collectstatic", interactive=False, verbosity=0)

    assert (tmp_path / "staticfiles.json").exists()


def test_languages_have_their_folder():
    others = {code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE}

    assert others == {"fr"}
