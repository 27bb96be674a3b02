from django.db import migrations, models

import backoffice.projects.models


class Migration(migrations.Migration):
    dependencies = [
        ("projects", "0005_add_platform_impersonation_url"),
    ]

    operations = [
        # What the column holds stays as it is: no statement is run.
        migrations.AlterField(
            model_name="project",
            name="currency",
            field=models.CharField(
                max_length=3, validators=[backoffice.projects.models.validate_currency]
            ),
        ),
    ]
