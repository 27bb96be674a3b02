from django.apps import AppConfig


class ProjectsConfig(AppConfig):
    name = "backoffice.projects"
    label = "projects"
