"""What all registers answer alike, and the files of those that have one."""

import pytest

REGISTERS = [
    "/audit/",
    "/exports/",
    "/free-copies/",
    "/gifts/",
    "/impersonations/",
    "/imports/",
    "/jobs/",
    "/mail/",
    "/payments/events/",
    "/payments/unmatched/",
    "/purchases/",
    "/subscriptions/",
]
FILES = ["/purchases/export.csv", "/subscriptions/export.csv"]


@pytest.mark.parametrize("path", [*REGISTERS, *FILES])
def test_days_that_run_backwards_are_refused_in_words(signed_in, project, path):
    response = signed_in().get(path, {"from": "2026-11-02", "to": "2026-11-01"})

    assert response.status_code == 400
    assert "The last day lies before the first." in response.content.decode()


@pytest.mark.parametrize("path", REGISTERS)
def test_a_single_day_is_taken(signed_in, project, path):
    response = signed_in().get(path, {"from": "2026-11-01", "to": "2026-11-01"})

    assert response.status_code == 200
