"""Masking: the rules, and that Python and the database follow the same ones."""

import pytest
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backoffice.core.masking import MaskedEmail, MaskedName, mask_email, mask_name
from backoffice.projects.models import Project

EMAILS = {
    "jane@example.com": "j***@e***.com",
    "j@e.co.uk": "j***@e***.uk",
    "": "",
    "nobody": "n***",
    "@example.com": "***@e***.com",
    "jane@": "j***@***",
    "jane@localhost": "j***@l***",
    "jane@.com": "j***@.***.com",
    "jane@example.": "j***@e***.",
    '"a@b"@example.com': '"***@e***.com',
    "émile@exämple.fr": "é***@e***.fr",
    "😀@☃.net": "😀***@☃***.net",
    "a\nb@c\nd.org": "a***@c***.org",
}
NAMES = {
    "Jane Doe": "J. D.",
    "Jane": "J.",
    "": "",
    "   ": "",
    "  Jane \t van  der\u00a0Berg ": "J. v. d. B.",
    "Ólafur Jóhann": "Ó. J.",
    "山田\u3000太郎": "山. 太.",
    "😀 x": "😀. x.",
    "O'Neil-Smith": "O.",
    "\\1 %s": "\\. %.",
    "\x1fa b": "\x1f. b.",
}


@pytest.mark.parametrize(("email", "masked"), EMAILS.items())
def test_masks_an_email(email, masked):
    assert mask_email(email) == masked


@pytest.mark.parametrize(("name", "masked"), NAMES.items())
def test_masks_a_name(name, masked):
    assert mask_name(name) == masked


def masked_by_database(rule, text):
    value = Cast(Value(text), TextField())
    return Project.objects.values_list(rule(value), flat=True).get()


@pytest.mark.parametrize("email", EMAILS)
def test_the_database_masks_emails_alike(project, email):
    assert masked_by_database(MaskedEmail, email) == mask_email(email)


@pytest.mark.parametrize("name", NAMES)
def test_the_database_masks_names_alike(project, name):
    assert masked_by_database(MaskedName, name) == mask_name(name)


TEXTS = st.text(
    st.one_of(
        st.sampled_from("@. ab\t\n\u00a0\u2003\u3000\\'%é"),
        st.characters(exclude_categories=["Cs"], exclude_characters="\x00"),
    ),
    max_size=12,
)


@pytest.mark.django_db
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=TEXTS)
def test_any_text_is_masked_alike(project, text):
    assert masked_by_database(MaskedEmail, text) == mask_email(text)
    assert masked_by_database(MaskedName, text) == mask_name(text)


def test_masks_a_column_and_leaves_null_null(project):
    Project.objects.update(name="Big North")

    assert Project.objects.values_list(MaskedName(F("name")), flat=True).get() == "B. N."
    assert masked_by_database(MaskedEmail, None) is None


def test_nothing_of_the_rest_shows():
    masked = mask_email("jane.secret@private.example")

    assert "ane" not in masked
    assert "secret" not in masked
    assert "private" not in masked
