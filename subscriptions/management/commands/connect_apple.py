"""Connect a project to its app in the App Store."""

from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from backoffice.audit.recording import SYSTEM
from backoffice.env import env, env_bool, env_int, env_list, env_secret
from backoffice.projects.management.lookups import project_named
from subscriptions.accounts import SecretsRefused, connect_apple
from subscriptions.providers.apple import AppleSecrets


class Command(BaseCommand):
    help = (
        "Keep what opens a project's app in the App Store, encrypted: APPLE_BUNDLE_ID,"
        " APPLE_APP_ID, APPLE_ISSUER_ID, APPLE_KEY_ID, APPLE_PRIVATE_KEY_FILE and"
        " APPLE_ROOT_CERTIFICATES (files, comma-separated); APPLE_SANDBOX=1 for the sandbox."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="slug of the project")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        secrets = AppleSecrets(
            bundle_id=env("APPLE_BUNDLE_ID", ""),
            app_id=env_int("APPLE_APP_ID", 0),
            is_live=not env_bool("APPLE_SANDBOX"),
            issuer_id=env("APPLE_ISSUER_ID", ""),
            key_id=env("APPLE_KEY_ID", ""),
            private_key=env_secret("APPLE_PRIVATE_KEY", ""),
            root_certificates=tuple(map(certificate, env_list("APPLE_ROOT_CERTIFICATES"))),
        )
        try:
            connect_apple(project=project, secrets=secrets, actor=SYSTEM, now=timezone.now())
        except SecretsRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"{project.slug} is connected to the App Store. Send its notifications (version 2) to"
            f" /webhooks/apple/{project.slug}/"
        )


def certificate(name: str) -> bytes:
    """
    Return the certificate of a file in DER, whichever of the two forms it is kept in.

    :raises CommandError: if there is none.
    """
    try:
        content = Path(name).read_bytes()
        is_pem = content.startswith(b"-----")
        read = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
        return read(content).public_bytes(Encoding.DER)
    except (OSError, ValueError) as error:
        raise CommandError(f"APPLE_ROOT_CERTIFICATES: {name!r} is no certificate.") from error
