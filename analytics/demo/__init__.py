"""Demo data: two made-up streaming services with a past, loaded in sets (manage.py demo_data)."""
