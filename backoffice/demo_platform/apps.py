from django.apps import AppConfig


class DemoPlatformConfig(AppConfig):
    name = "backoffice.demo_platform"
    label = "demo_platform"
