"""The right to export says what it protects: files. Who sees people reads them page by page without it."""

from django.db import migrations

PERMISSIONS = [
    ("export_person", "Can export people to files"),
    ("merge_person", "Can merge people"),
    ("erase_person", "Can erase people for good"),
    ("restore_person", "Can restore deleted people"),
]


def rename(apps, schema_editor):
    permissions = apps.get_model("auth", "Permission").objects
    permissions.filter(content_type__app_label="people", codename="export_person").update(name=PERMISSIONS[0][1])


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0019_person_count"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    ]

    operations = [
        migrations.AlterModelOptions(
            "person", {"permissions": PERMISSIONS, "verbose_name": "person", "verbose_name_plural": "people"}
        ),
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
