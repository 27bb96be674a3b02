"""What the queue calls about users."""

from django.utils import timezone
from procrastinate.contrib.django import app

from users.actions import SEND_RESET_TASK
from users.mailing import answer_reset_request


@app.task(name=SEND_RESET_TASK)
def send_reset(*, request_id: int) -> None:
    answer_reset_request(request_id=request_id, now=timezone.now())
