"""Attendee lists of other products as import presets: what their columns are for *Attend Event* or a type of the team.

The headers are those of the products' own reports in English; `tests/people/cases` holds one of each.
"""

from django.utils.translation import gettext_lazy as _

from people.files.imports.presets import ImportPreset, PresetColumn, register_preset

# the names, in English and Spanish, of the fields that teams make for these; the template “Attend Session” has them
_EVENT = ("Event", "Event name", "Webinar", "Webinar name", "Evento", "Nombre del evento", "Webinario", "Webinar topic")
_MINUTES = ("Minutes", "Minutes attended", "Time in session", "Minutos", "Minutos de asistencia", "Tiempo en la sesión")
_LEFT_AT = ("Left at", "Leave time", "Salida", "Hora de salida")
_TICKET = ("Ticket type", "Ticket", "Tipo de entrada", "Entrada")
_COUNTRY = ("Country", "Country/Region", "País")

PRESETS = (
    ImportPreset(
        "zoom_attendees",
        _("Zoom: attendee report of a webinar"),
        "activities",
        # the table of the hosts has no “Registration Time”, the one of those who dialled in no “Email”
        header=("Attended", "Email", "Registration Time", "Join Time", "Leave Time", "Time in Session (minutes)"),
        subject="attendEvent",
        person="{Email}",
        moments=("Join Time", "Registration Time"),
        columns=(
            PresetColumn("Time in Session (minutes)", _MINUTES),
            PresetColumn("Leave Time", _LEFT_AT),
            PresetColumn("Country/Region Name", _COUNTRY),
        ),
        above=(PresetColumn("Topic", _EVENT, "primary_value"),),
        constants={"field.source": "Zoom"},
        null_text="--",
        only_rows={"Attended": ("Yes",)},
        ends_at="Other Attended",
    ),
    ImportPreset(
        "eventbrite_attendees",
        _("Eventbrite: attendee list"),
        "activities",
        header=("Order #", "Order Date", "Email", "Ticket Type", "Attendee Status", "Event Name", "Event Date"),
        subject="attendEvent",
        person="{Email}",
        moments=("Event Date", "Order Date"),
        columns=(PresetColumn("Event Name", _EVENT, "primary_value"), PresetColumn("Ticket Type", _TICKET)),
        constants={"field.source": "Eventbrite"},
        # all other states mean that this ticket is not used: refunded, cancelled, unpaid, transferred
        only_rows={"Attendee Status": ("Attending", "Checked In")},
    ),
)


def register_attendee_lists() -> None:
    for preset in PRESETS:
        register_preset(preset)
