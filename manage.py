#!/usr/bin/env python3
"""Django's command line, with the embedded database behind it when no other is named."""

import os
import sys

# These look at files alone; everything else finds the database running.
WITHOUT_DATABASE = {
    "",
    "check",
    "collectstatic",
    "compile_translations",
    "diffsettings",
    "findstatic",
    "help",
    "makemessages",
    "version",
    "--help",
    "--version",
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    from django.core.management import execute_from_command_line

    from backoffice import postgres

    if (sys.argv[1:] or [""])[0] in WITHOUT_DATABASE:
        execute_from_command_line(sys.argv)
        return
    try:
        with postgres.embedded():
            execute_from_command_line(sys.argv)
    except postgres.DatabaseFailed as failure:
        sys.exit(str(failure))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
