"""How static files are named in production: by their content, so that browsers may keep them."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStaticFiles(CompressedManifestStaticFilesStorage):
    """The hashed names reach the imports of script modules too."""

    support_js_module_import_aggregation = True
