from django.db import migrations

from cases.ontology import ANNOTATED, PARENTS


def put_categories(apps, schema_editor):
    Category = apps.get_model("cases", "Category")
    for code, name in PARENTS.items():
        Category.objects.update_or_create(code=code, defaults={"name": name, "focal": code != "1"})
    for code, (name, definition) in ANNOTATED.items():
        Category.objects.update_or_create(
            code=code,
            defaults={
                "name": name,
                "definition": definition,
                "parent_id": code[0],
                "focal": code[0] == "2",
                "annotated": True,
            },
        )


class Migration(migrations.Migration):
    dependencies = [("cases", "0001_initial")]
    operations = [migrations.RunPython(put_categories, migrations.RunPython.noop, elidable=True)]
