"""What the commands look up by slug, with an error that names the cure."""

from django.core.management.base import CommandError

from backoffice.projects.models import Platform, Project


def project_named(slug: str) -> Project:
    """
    Return the project of that slug.

    :raises CommandError: if there is none; it lists those there are.
    """
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        known = ", ".join(Project.objects.order_by("slug").values_list("slug", flat=True)[:20])
        cure = f"use one of: {known}" if known else "make it first with create_project"
        raise CommandError(f"There is no project {slug!r}: {cure}.")
    return project


def platform_named(project: Project, slug: str) -> Platform:
    """
    Return the platform of that slug within the project.

    :raises CommandError: if there is none; it lists those there are.
    """
    platform = project.platforms.filter(slug=slug).first()
    if platform is None:
        known = ", ".join(project.platforms.order_by("slug").values_list("slug", flat=True)[:20])
        cure = f"use one of: {known}" if known else "make it first with create_platform"
        raise CommandError(f"Project {project.slug!r} has no platform {slug!r}: {cure}.")
    return platform
