from django.db import migrations

from cases import ontology


def put_categories(apps, schema_editor):
    ontology.put_categories(apps.get_model("cases", "Category"))


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]
    operations = [migrations.RunPython(put_categories, migrations.RunPython.noop, elidable=True)]
