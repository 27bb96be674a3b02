"""Compare single payments, refunds and disputes too, and what the stores told of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("subscriptions", "0005_read_registers_by_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="providersync",
            name="payments",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name="providersync",
            name="phase",
            field=models.CharField(
                choices=[
                    ("customers", "Customers"),
                    ("subscriptions", "Subscriptions"),
                    ("invoices", "Invoices"),
                    ("sessions", "Checkout"),
                    ("payments", "Payments"),
                    ("refunds", "Refunds"),
                    ("disputes", "Disputes"),
                    ("held", "Held here"),
                    ("done", "Done"),
                ],
                default="customers",
                max_length=13,
            ),
        ),
    ]
