"""Addresses of the demo platform; there are none in production."""

from django.urls import include, path

from backoffice.demo_platform.views.accounts import (
    Account,
    Forgotten,
    Password,
    Reset,
    SignIn,
    SignOut,
    SignUp,
)
from backoffice.demo_platform.views.home import Home, Language, Stop
from backoffice.demo_platform.views.player import Beat, Start, Watch

app_name = "demo-platform"

_pages = [
    path("", Home.as_view(), name="home"),
    path("stop/", Stop.as_view(), name="stop"),
    path("language/", Language.as_view(), name="language"),
    path("sign-up/", SignUp.as_view(), name="sign-up"),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
    path("forgotten/", Forgotten.as_view(), name="forgotten"),
    path("reset/", Reset.as_view(), name="reset"),
    path("password/", Password.as_view(), name="password"),
    path("account/", Account.as_view(), name="account"),
    path("start/", Start.as_view(), name="start"),
    path("beat/", Beat.as_view(), name="beat"),
    path("watch/<path:reference>/", Watch.as_view(), name="watch"),
]

urlpatterns = [path("demo-platform/<slug:project>/<slug:platform>/", include(_pages))]
