"""The pages of one import, filled in as a browser fills them in."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from people.files.imports import runner as import_runner
from people.models import Import


class Wizard:
    """The pages of one import: forms are sent as a browser sends them, with what the page proposes."""

    def __init__(self, client):
        self.client = client

    def upload(self, content, name, contents):
        data = {"contents": contents, "file": SimpleUploadedFile(name, content)}
        self.page = self.client.post(reverse("admin:people_import_add"), data, follow=True)
        return self

    def proposed(self):
        """The form's proposal: the item of each column, by its name."""
        form = self.page.context["form"]
        return {column["name"]: column["field"].value() for column in form.columns()}

    def ask_for(self, preset):
        """Follow the link that fills in everything as the preset does."""
        query = f"?subject={self.page.context['subject']}&preset={preset}"
        self.page = self.client.get(self.address + query)
        return self

    def preview(self, columns=(), **values):
        """Send the form of the columns; `columns` are items by names of columns."""
        form = self.page.context["form"]
        data = {field.name: field.value() for field in form if field.value() not in (None, False)}
        places = {column: f"column_{place}" for place, column in enumerate(form.shape.header)}
        data |= {places[column]: item for column, item in dict(columns).items()} | values
        data |= {"subject": self.page.context["subject"], "asked": " ".join(form.shown_questions)}
        preset = self.page.context["preset"]
        self.page = self.client.post(self.address + (f"?preset={preset.name}" if preset else ""), data)
        return self.page.context["preview"]

    @property
    def address(self):
        return reverse("admin:people_import_columns", args=[self.job.pk])

    @property
    def errors(self):
        return set(self.page.context["form"].errors)

    @property
    def job(self):
        return Import.objects.latest("pk")

    def record(self):
        """Check the whole file, then import it; the import, and the text of its page."""
        for step in ("check", "start"):
            self.client.post(reverse("admin:people_import_step", args=[self.job.pk, step]))
            import_runner.run_import(self.job.pk)
        self.page = self.client.get(reverse("admin:people_import_change", args=[self.job.pk]))
        return self.job, " ".join(self.page.text.split())
