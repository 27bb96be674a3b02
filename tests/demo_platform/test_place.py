"""The command that tells the demo's addresses at which port they are served."""

import pytest
from django.core.management import CommandError, call_command

from tests.factories.analytics import ContentFactory
from tests.factories.projects import PlatformFactory


def test_addresses_of_the_demo_platform_follow_the_port_and_no_others(db):
    web = PlatformFactory(
        home_url="http://127.0.0.1:8000/demo-platform/north/web/",
        password_reset_url="http://localhost/demo-platform/north/web/reset/",
        impersonation_url="https://watch.example.com/demo-platform/",
    )
    real = PlatformFactory(project=web.project, home_url="http://127.0.0.1:3000/")
    film = ContentFactory(
        project=web.project, url="http://127.0.0.1:8000/demo-platform/north/web/watch/film/"
    )

    call_command("place_demo_platform", "8100")

    for row in (web, real, film):
        row.refresh_from_db()
    assert web.home_url == "http://127.0.0.1:8100/demo-platform/north/web/"
    assert web.password_reset_url == "http://127.0.0.1:8100/demo-platform/north/web/reset/"
    assert web.impersonation_url == "https://watch.example.com/demo-platform/"
    assert real.home_url == "http://127.0.0.1:3000/"
    assert film.url == "http://127.0.0.1:8100/demo-platform/north/web/watch/film/"


@pytest.mark.parametrize("port", ["0", "65536"])
def test_a_port_that_is_none_is_refused(db, port):
    with pytest.raises(CommandError, match="use a port"):
        call_command("place_demo_platform", port)
