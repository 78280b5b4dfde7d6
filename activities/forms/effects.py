"""Effects of a submission: the person, their browser, the activities, the consent, and a notice to the team.

Any visitor can type any address into a form. So it fills in blank values of known people, or replaces values of
its own fields where the team chose that; it opts in no person who has objected; and it creates so many people an hour.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy

from activities.consent.state import CONSENTS, EMAIL, GIVEN, consent_state
from activities.forms.fields import EMAIL as EMAIL_FIELD
from activities.models import Activity, ActivityKey, Association, EventSource, Form, FormSubmission, Visitor
from activities.querysets import ATTEND_EVENT
from activities.recording import recorder
from activities.recording.rows import NewActivity, RecordOutcome, RecordStatus
from activities.tracking.wire import TOKEN
from activities.types.standard_values import clip_values
from activities.visitors import ownership
from activities.visitors.tokens import token_hash
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.installation import installation_zone
from people.core.messages import sentence as _
from people.core.notifications import NoticeKind, notify_users, register_notice_kinds
from people.core.source import Source
from people.datatypes.canonical import text_key
from people.fields.catalog import field_catalogue, person_value
from people.models import Person
from people.persons import upsert
from people.persons.upsert import UpsertAction

FILL_OUT_FORM = 2
RECORDED_TYPES = frozenset({FILL_OUT_FORM, ATTEND_EVENT, *CONSENTS})
MAX_FORMER = 100  # submissions of one person at the kiosk of one form
SUBMISSIONS_PAGE = "admin:activities_form_submissions"
State = FormSubmission.State
Way = FormSubmission.Way
Evidence = Association.Evidence

register_notice_kinds(
    {
        "form_filled_in": NoticeKind(
            gettext_lazy("Somebody filled in a form that you watch"),
            gettext_lazy("Somebody filled in “%(form)s”."),
            action=gettext_lazy("See the entries"),
            icon="assignment_turned_in",
            look="good",
        )
    }
)


def record_submission(
    submission: FormSubmission, source: Source, *, visitor_id: int | None = None, is_trusted: bool = False
) -> None:
    """Record a stored submission, in the caller's transaction; one that cannot be recorded waits with its reason.

    `visitor_id`: the browser that sent it. `is_trusted`: new people are not limited.
    """
    try:
        with transaction.atomic():
            _record(submission, source, visitor_id, is_trusted)
    except RejectedError as refusal:
        submission.state, submission.reason = State.HELD, str(refusal.code)[:40]
        submission.person_id = submission.visitor_id = submission.activity_id = None
        submission.has_created_person = submission.is_consent_recorded = False
    else:
        submission.state, submission.reason = State.RECORDED, ""
    submission.save()


def _record(submission: FormSubmission, source: Source, visitor_id: int | None, is_trusted: bool) -> None:
    ownership.share_lock_of_people()
    visitor = _lock_visitor(visitor_id)
    person_id, is_new = _find_or_create(submission, source, is_trusted)
    submission.person_id, submission.has_created_person = person_id, is_new
    if visitor is not None and _associate(visitor, submission, source):
        submission.visitor_id = visitor.pk
    rows = [_fill_out_form(submission)]
    if submission.way == Way.KIOSK and attendance_of_person(submission.form, person_id) is None:
        rows.append(attend_event(submission.form, person_id, submission.occurred_at, "Kiosk"))
    if consent := _consent(submission):
        rows.append(consent)
        submission.is_consent_recorded = True
    outcomes = recorder.record_activities(rows, source, may_record=RECORDED_TYPES, keep_refused=False)
    for row, outcome in zip(rows, outcomes, strict=True):
        if outcome.status is RecordStatus.REFUSED and not _has_attended(row, outcome):
            raise RejectedError(*outcome.problems)
    submission.activity_id = outcomes[0].activity_id


def _has_attended(row: NewActivity, outcome: RecordOutcome) -> bool:
    """True for Attend Event of a person who attended already, by kiosk or check-in: it stays as it is."""
    is_reused = all(problem.code == Code.EXTERNAL_ID_REUSED for problem in outcome.problems)
    return row.activity_type == ATTEND_EVENT and is_reused


# --- The person -----------------------------------------------------------------------------------------------


def _find_or_create(submission: FormSubmission, source: Source, is_trusted: bool) -> tuple[int, bool]:
    """The person with the address, changed as the form may; or a new one."""
    person_id = _find(submission.values[EMAIL_FIELD])
    if person_id is None:
        if not is_trusted:
            _refuse_above_cap(submission.form)
        row = dict(submission.values)
        (outcome,) = upsert.upsert_people([row], source, "email", UpsertAction.CREATE, zone=installation_zone())
        if outcome.person_id is not None:
            return outcome.person_id, True
        person_id = _find(submission.values[EMAIL_FIELD])
        if person_id is None:
            raise RejectedError(*outcome.problems)
    _change(person_id, submission, source)
    return person_id, False


def _find(email: str) -> int | None:
    ids = next(iter(people_lookup.person_ids_by_field("email", [email]).values()), [])
    if len(ids) > 1:
        message = _("%(count)s people match; none of them was changed") % {"count": len(ids)}
        raise RejectedError(Problem(Code.AMBIGUOUS_PERSON, message, ("email",)))
    return ids[0] if ids else None


def _change(person_id: int, submission: FormSubmission, source: Source) -> None:
    person = Person.objects.select_for_update().get(pk=person_id)
    catalogue = field_catalogue()
    # a program with a token is no stranger
    may_replace = submission.way == Way.API or submission.form.known_people == Form.KnownPeople.UPDATE
    values = {
        name: value
        for name, value in submission.values.items()
        if name != EMAIL_FIELD and name in catalogue and (may_replace or person_value(person, catalogue[name]) is None)
    }
    if not values:
        return
    rows = [{"id": person_id, **values}]
    (outcome,) = upsert.upsert_people(rows, source, "id", UpsertAction.UPDATE, zone=installation_zone())
    if outcome.person_id is None:
        raise RejectedError(*outcome.problems)


def _refuse_above_cap(form: Form) -> None:
    since = ownership.database_time() - timedelta(hours=1)
    created = FormSubmission.objects.filter(form=form, has_created_person=True, received_at__gt=since)
    if created.count() >= form.people_an_hour:
        message = _("This form has created %(count)s people within an hour, which is all it may.")
        raise RejectedError(Problem(Code.OVER_CAP, message % {"count": form.people_an_hour}))


# --- Their browser --------------------------------------------------------------------------------------------


def find_visitor(form: Form, token: str) -> int | None:
    """The visitor with a cookie's token: of the form's web site, else the only one with it; None if there is none."""
    if not TOKEN.fullmatch(token):
        return None
    visitors = {row.site_group: row for row in Visitor.objects.filter(token_hash=token_hash(token))[:100]}
    website: EventSource | None = form.website
    if website is not None:
        visitor = visitors.get(website.site_group)
    else:
        visitor = next(iter(visitors.values())) if len(visitors) == 1 else None
    return visitor.pk if visitor is not None else None


def _lock_visitor(visitor_id: int | None) -> Visitor | None:
    try:
        return ownership.lock_visitor(visitor_id) if visitor_id is not None else None
    except RejectedError:  # its person was erased: the browser stays unknown
        return None


def _associate(visitor: Visitor, submission: FormSubmission, source: Source) -> bool:
    """Associate the browser with the person; false where it is another person's by stronger evidence."""
    assert submission.person_id is not None
    try:
        with transaction.atomic():
            ownership.associate_visitor(
                visitor.pk,
                submission.person_id,
                Evidence.SERVER if submission.way == Way.API else Evidence.FORM,
                source,
                submission.occurred_at,
                has_created_person=submission.has_created_person,
            )
    except RejectedError:
        return False
    return True


# --- Activities -----------------------------------------------------------------------------------------------


def _fill_out_form(submission: FormSubmission) -> NewActivity:
    form = submission.form
    lines = "\n".join(f"{name}: {value}" for name, value in submission.values.items())
    values: Mapping[str, Any] = {**submission.page, "form_fields": lines, "webform_id": form.pk}
    primary, attributes = clip_values(FILL_OUT_FORM, form.name, values.items())
    return NewActivity(
        submission.person_id,
        FILL_OUT_FORM,
        submission.occurred_at,
        primary,
        attributes,
        f"form:{form.pk}:{submission.message_id}",
    )


def attend_event(form: Form, person_id: int | None, at: datetime, way: str) -> NewActivity:
    """Attend Event for the form's event. `way`: how they were checked in, as it is stored."""
    values = {"session": form.session, "checked_in_at": at, "source": way}
    primary, attributes = clip_values(
        ATTEND_EVENT, form.event or form.name, [(name, value) for name, value in values.items() if value]
    )
    return NewActivity(person_id, ATTEND_EVENT, at, primary, attributes, attendance_key(form))


def attendance_key(form: Form) -> str:
    """The external id of Attend Event: one a person, form, event and session, whichever way they came."""
    what = "\0".join(text_key(text) for text in (form.event or form.name, form.session))
    return f"form:{form.pk}:event:{blake2b(what.encode(), digest_size=16).hexdigest()}"


def attendance_of_person(form: Form, person_id: int) -> Activity | None:
    """The Attend Event of a person checked in or at the kiosk; None without attendance."""
    keys = ActivityKey.objects.filter(person_id=person_id, activity_type_id=ATTEND_EVENT)
    ids = keys.filter(external_id=attendance_key(form)).values_list("activity_id", flat=True)
    mine = Activity.objects.filter(person_id=person_id)
    return mine.filter(pk__in=list(ids)).first() or _former_attendance(form, person_id)


def _former_attendance(form: Form, person_id: int) -> Activity | None:
    """One recorded before there was `attendance_key`: its key was of the check-in, or of the kiosk's submission."""
    sent = (
        form.submissions.filter(person_id=person_id, way=Way.KIOSK).order_by("pk").values_list("message_id", flat=True)
    )
    external_ids = [f"form:{form.pk}:{part}" for part in ("check-in", *sent[:MAX_FORMER])]
    keys = ActivityKey.objects.filter(
        person_id=person_id, activity_type_id=ATTEND_EVENT, external_id__in=external_ids
    ).values_list("activity_id", flat=True)
    what = (text_key(form.event or form.name), text_key(form.session))
    for activity in Activity.objects.filter(person_id=person_id, pk__in=list(keys)).order_by("occurred_at"):
        if what == (text_key(activity.primary_value or ""), text_key(str(activity.attributes.get("session") or ""))):
            return activity
    return None


def _consent(submission: FormSubmission) -> NewActivity | None:
    """The consent in the submission, unless the person has withdrawn it: any visitor may have typed in the address."""
    agreed = submission.consent
    if agreed is None or submission.person_id is None:
        return None
    if not may_opt_in(submission.person_id, agreed.purpose):
        return None
    values = {
        "text": agreed.text,
        "text_version": agreed.version,
        "source": submission.form.name,
        "url": submission.page.get("url", ""),
    }
    primary, attributes = clip_values(GIVEN, agreed.purpose, [(name, value) for name, value in values.items() if value])
    key = f"form:{submission.form_id}:{submission.message_id}"
    return NewActivity(submission.person_id, GIVEN, submission.occurred_at, primary, attributes, key)


def may_opt_in(person_id: int, purpose: str) -> bool:
    """True where a public form may record a consent: it was never withdrawn since it was last given."""
    consent = consent_state([person_id], purpose).get(person_id)
    if consent is not None and not consent.is_given:
        return False
    if text_key(purpose) != EMAIL:
        return True
    return not Person.objects.filter(pk=person_id, unsubscribed=True).exists()


def notify_team(submission: FormSubmission) -> None:
    """Notify the users who watch the form, unless they have an unread notice of it; never of spam."""
    if submission.state == State.SPAM:
        return
    form = submission.form
    users = form.notified.values_list("pk", flat=True)
    notify_users(users, "form_filled_in", SUBMISSIONS_PAGE, form.pk, form=form.name)
