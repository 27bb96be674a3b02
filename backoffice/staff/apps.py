from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "backoffice.staff"
    label = "staff"

    def ready(self) -> None:
        from backoffice.staff import receivers  # noqa: F401, PLC0415  # needs the models
