"""backoffice.core.translations: what is marked is found, and gaps are told."""

import gettext

from backoffice.core.translations import compile_all, marked_messages, missing_messages

HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'


def checkout(root, *, code="", template="", po=""):
    for folder in ("analytics", "backoffice", "subscriptions", "users", "templates"):
        (root / folder).mkdir()
    (root / "users/views.py").write_text(code)
    (root / "templates/page.html").write_text(template)
    source = root / "fr/LC_MESSAGES/django.po"
    source.parent.mkdir(parents=True)
    source.write_text(HEADER + po)
    return source


def test_code_and_templates_are_searched(tmp_path):
    checkout(
        tmp_path,
        code='_("Users")\nngettext("one user", "%d users", n)\npgettext_lazy("verb", "Export")\n',
        template="""
            <p>{% translate "Sign in" %}</p>
                {% blocktranslate with n=total trimmed %}
                    {{ n }} people
                {% endblocktranslate %}
            {# a remark #} it's {% translate 'Until' context "date" %}
        """,
    )

    assert marked_messages(tmp_path) == {
        (None, "Users"),
        (None, "one user"),
        ("verb", "Export"),
        (None, "Sign in"),
        (None, "%(n)s people"),
        ("date", "Until"),
    }


def test_a_missing_an_empty_and_a_fuzzy_entry_are_told(tmp_path):
    source = checkout(
        tmp_path,
        code='_("Absent"), _("Empty"), _("Fuzzy"), _("Fine")\n',
        po='msgid "Empty"\nmsgstr ""\n\n#, fuzzy\nmsgid "Fuzzy"\nmsgstr "Flou"\n\n'
        'msgid "Fine"\nmsgstr "Bien"\n',
    )

    assert missing_messages(tmp_path, source) == [
        "missing: 'Absent'",
        "empty: 'Empty'",
        "fuzzy: 'Fuzzy'",
    ]


def test_a_plural_without_its_second_form_is_empty(tmp_path):
    source = checkout(
        tmp_path,
        code='ngettext("one user", "%d users", n)\n',
        po='msgid "one user"\nmsgid_plural "%d users"\nmsgstr[0] "un"\nmsgstr[1] ""\n',
    )

    assert missing_messages(tmp_path, source) == ["empty: 'one user'"]


def test_python_reads_what_is_compiled(tmp_path):
    checkout(tmp_path, po='msgid "Users"\nmsgstr "Utilisateurs"\n')

    assert compile_all(tmp_path) == 1
    with (tmp_path / "fr/LC_MESSAGES/django.mo").open("rb") as compiled:
        assert gettext.GNUTranslations(compiled).gettext("Users") == "Utilisateurs"


def test_what_is_up_to_date_is_left_alone(tmp_path):
    checkout(tmp_path, po='msgid "Users"\nmsgstr "Utilisateurs"\n')
    compile_all(tmp_path)

    assert compile_all(tmp_path) == 0
