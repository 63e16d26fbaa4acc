from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from cases.ontology import put_categories


def put(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    put_categories(apps.get_model("cases", "Category"))


class Migration(migrations.Migration):
    dependencies = [("cases", "0002_categories")]

    operations = [
        migrations.AddField(
            model_name="finding",
            name="instance_count",
            field=models.PositiveIntegerField(default=0, help_text="Instances annotated."),
        ),
        migrations.RunPython(put, migrations.RunPython.noop),
    ]
