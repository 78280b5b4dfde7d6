"""Meanings of the problem codes, and their pages under /api/docs/problems/, the `type` of a problem."""

from collections.abc import Mapping

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from people.core.codes import Code

PATH = "/api/docs/problems/"
WITHOUT_A_PAGE = "about:blank"  # RFC 9457: the type of a problem that its status describes

MEANINGS: Mapping[Code, object] = {
    Code.ADDRESS_TOO_LONG: _("The address has more than 8,192 bytes. Send long lists in several calls."),
    Code.ALREADY_QUEUED: _("The same work is already waiting to be done. Wait until it has ended."),
    Code.ALREADY_STARTED: _("The work has already started and can't be changed any more."),
    Code.ALWAYS_MATCHES: _("The rule matches everyone. Narrow it, or leave it out."),
    Code.AMBIGUOUS_PERSON: _("Several people have this value. Name the person by id, or by a field that is unique."),
    Code.API_NAME_TAKEN: _("The API name is or was in use. API names are never reused: choose another."),
    Code.ARCHIVED_LIST: _("The list is archived. Unarchive it first."),
    Code.ASSOCIATION_UNDONE: _("The association of the visitor was undone already."),
    Code.BAD_CURSOR: _("The cursor does not belong to this list and these filters. Begin again without a cursor."),
    Code.BAD_FILE: _("The file is not in the format it claims to be."),
    Code.BAD_HEADER: _("A header of the request or of a file can't be understood."),
    Code.BAD_IDEMPOTENCY_KEY: _("An Idempotency-Key has 1 to 200 printable ASCII characters without spaces."),
    Code.BAD_JSON: _("The JSON can't be read, or has a form that is not accepted here."),
    Code.BAD_LINK: _(
        "A field of an object type links to something that does not exist, or by what names nothing there."
    ),
    Code.BAD_LOGIC: _(
        "The rule logic cannot be read. It combines the numbers of filters with and, or, not and parentheses."
    ),
    Code.BAD_MODE: _("There is no such mode."),
    Code.BAD_NAME: _("The name has characters that are not allowed, or is not written as names are."),
    Code.BAD_TEMPLATE: _("A template has a placeholder that cannot be filled in."),
    Code.BAD_TEXT: _("The text form of the rules cannot be read; the error says at which place."),
    Code.BAD_SIGNATURE: _("The signature of a call is missing, wrong or too old, or the webhook has no secret."),
    Code.BAD_ORIGIN: _("An origin is scheme, host and port of a site, like https://www.example.com, without a path."),
    Code.BAD_TOKEN: _("This paging token was not issued by this installation."),
    Code.BAD_URL: _("The address cannot be called: it is malformed, or leads to where webhooks may not go."),
    Code.BLOCKED_IDENTIFIER: _("An identifier like “anonymous” or “0” names nobody, so nobody is recognized by it."),
    Code.CANCELLED: _("The work was cancelled before it ended."),
    Code.CANNOT_BE_UNIQUE: _(
        "Several people have the same value in this field, or its data type cannot tell people apart."
    ),
    Code.CHANGED_MEANWHILE: _("Someone else changed it since you read it. Read it again; nothing was overwritten."),
    Code.CONFIRMATION_NEEDED: _("What was asked for affects more than usual and has to be confirmed."),
    Code.CONFLICT: _("It conflicts with the current state."),
    Code.CONSENT_NEEDED: _(
        "This person has unsubscribed. Record Consent Given for the purpose “email”: that subscribes them again."
    ),
    Code.CYCLE: _("A list would refer to itself through others."),
    Code.DEDUPE_FIELDS: _(
        "An object type has one to three dedupe fields, of data types whose values tell records apart."
    ),
    Code.DEMO_IS_THERE: _("The demo is there already. Remove it first."),
    Code.ERROR: _("Something unexpected failed here. It was logged; try again later."),
    Code.EXTERNAL_ID_REUSED: _(
        "The external id was recorded before, for this person and type, with other content. Nothing was changed."
    ),
    Code.FILE_TOO_LARGE: _("The file is larger than is accepted here. Split it."),
    Code.GIVEN_TWICE: _("The same thing is named twice in one call."),
    Code.HIDDEN_FIELD: _("The field is hidden. Show it again first."),
    Code.IDEMPOTENCY_KEY_IN_USE: _(
        "A request with this Idempotency-Key is still running. Try again when it has ended."
    ),
    Code.IDEMPOTENCY_KEY_REUSED: _(
        "This Idempotency-Key was used before with another request. Use a new key for each request."
    ),
    Code.IN_USE: _("Lists or campaigns use it; the answer names them. Remove it there first."),
    Code.INCOMPLETE_BODY: _("The body ended too early. Send the request again."),
    Code.INVALID: _("The value is not valid for this member."),
    Code.INVALID_JSON: _(
        "The body is not valid JSON. Members named twice and numbers like NaN are not accepted either."
    ),
    Code.INVALID_TOKEN: _("The token is unknown, revoked or expired. Get a new one."),
    Code.KEPT_SHORTER: _("The retention period is shorter than something else needs."),
    Code.KEY_EXPIRED: _("The write key has ended. Use the newer one of the event source."),
    Code.KEY_MISSING: _("The key that sealed a secret is gone. Enter the secret again."),
    Code.LOCKED_API_NAME: _("The API name can't be changed after the first approval."),
    Code.LOCKED_DATA_TYPE: _("The data type can't be changed after the first approval."),
    Code.LOCKED_KEY: _("Dedupe fields and links can't be changed after the first approval."),
    Code.LOCKED_PRIMARY: _("Which field is primary is fixed at the first approval."),
    Code.MERGE_COVERED: _("A later merge covers this one. Undo the later one first."),
    Code.MERGE_UNDONE: _("The merge was undone already."),
    Code.MERGE_WITH_ITSELF: _("A person cannot be merged with themselves."),
    Code.METHOD_NOT_ALLOWED: _("The address does not accept this method; the header Allow names those it accepts."),
    Code.MISSING_VALUE: _("A required value is missing or blank."),
    Code.MORE_PROBLEMS: _("The row has more errors than are listed at once. Correct these and send it again."),
    Code.MORE_REFUSED: _("More rows were rejected than are listed at once."),
    Code.NAME_TAKEN: _("This name is already taken. Choose another."),
    Code.NEVER_APPROVED: _("The type has never been approved: no activity of it can be recorded yet."),
    Code.NEVER_MATCHES: _("The rule matches nobody. Its constraints exclude each other."),
    Code.NO_AUDIENCE: _("The campaign has no audience, so it would run for everyone."),
    Code.NO_DEMO: _("There is no demo to remove."),
    Code.NO_DRAFT: _("There is no draft. Begin one first."),
    Code.NO_PLAN: _("The import has no plan yet. Say first which column goes where."),
    Code.NO_PYARROW: _("This installation cannot write the format: a library is not installed."),
    Code.NO_SPACE: _("The disk is nearly full. Nothing was written; an operator has to free up space."),
    Code.NO_STEP: _("The campaign has no step, or none of this number."),
    Code.NO_TRIGGER: _("The campaign has no trigger."),
    Code.NOT_ACCEPTABLE: _("Only JSON is answered here."),
    Code.NOT_ALLOWED: _(
        "The permission for it is missing; expected names it. An API client has at most its owner's permissions."
    ),
    Code.NOT_AUTHENTICATED: _(
        "You are not signed in, and there is no token. Send Authorization: Bearer and the token."
    ),
    Code.NOT_DELETED: _("It is not deleted, so it cannot be brought back."),
    Code.NOT_EMPTY: _("It isn't empty. Empty it first."),
    Code.NOT_FOUND: _("There is nothing at this address, or you may not see it."),
    Code.NOT_READY: _("It is not ready yet. Ask again later."),
    Code.NOT_RETIRED: _("The type is not retired."),
    Code.NOTATION_OPEN: _("The file does not say how its dates or numbers are written. Say it; expected names how."),
    Code.NOTHING_RECORDED: _("The import recorded nothing that can be undone."),
    Code.ORIGIN_REFUSED: _("The write key does not work from there: see the kind and the origins of the event source."),
    Code.OUT_OF_RANGE: _("The value is out of range; expected gives the limits."),
    Code.OVER_CAP: _("That is more than is allowed at once."),
    Code.PERMISSION_DENIED: _("The request was rejected. With a session, the CSRF token has to be sent with it."),
    Code.PERSON_DELETED: _("The person is deleted. Restore them first."),
    Code.PERSON_EXISTS: _("There is already a person with this value."),
    Code.PERSON_MERGED: _("The person was merged into another one; the answer names it."),
    Code.PRECONDITION_FAILED: _(
        "It is no longer in the state that If-Match names. Read it again; nothing was overwritten."
    ),
    Code.QUOTA_REACHED: _("The event source has sent as much as it may in one day (UTC)."),
    Code.RAGGED_ROW: _("The row has more or fewer cells than the header."),
    Code.READ_ONLY_FIELD: _("The field cannot be written through this call."),
    Code.RECORD_EXISTS: _("An object record with these dedupe values exists already."),
    Code.REMOVED_FIELD: _("The field was removed from the type by an approved version."),
    Code.REPEATED_HEADER: _("A header may be sent only once."),
    Code.REPLY_ERASED: _("The reply that this Idempotency-Key had was erased with a person."),
    Code.RETIRED_TYPE: _("The type is retired and accepts no new activities."),
    Code.REVOKED_CLIENT: _("The API client is revoked for good. Create another one."),
    Code.SECOND_APPROVER: _("A draft can't be approved by someone who edited it. Another person has to approve it."),
    Code.SIGN_IN_INCOMPLETE: _("The sign-in lacks a step: a password to change, or a second factor."),
    Code.SOURCE_OFF: _("The event source is turned off."),
    Code.STANDARD_FIELD: _("Standard fields of people cannot be changed this way."),
    Code.STANDARD_TYPE: _("Standard activity types cannot be changed this way."),
    Code.STEP_FAILS: _("A step of the campaign fails, and is tried again; people wait there and go on once it works."),
    Code.THROTTLED: _("Too many calls. Retry-After says when to try again."),
    Code.TIMEOUT: _("It took too long and was stopped. Ask for less."),
    Code.TOO_DEEP: _("The nesting is too deep."),
    Code.TOO_LARGE: _("The body is larger than is accepted in one call. Send several calls, or a stream."),
    Code.TOO_LATE: _("It is too late to undo or change this."),
    Code.TOO_LONG: _("The text is longer than the field takes; expected says how long it may be."),
    Code.TOO_MANY: _("There are more of them than one call accepts; expected says how many."),
    Code.TOO_MANY_CALLS: _("The calls of this minute are used up. Retry-After says for how long."),
    Code.TOO_MANY_FIELDS: _("The maximum number of fields is reached."),
    Code.TOO_MANY_JOBS: _("Too much work of this kind is waiting. Try again when some of it has ended."),
    Code.TOO_MANY_KEYS: _("An event source has as many keys as can work at once. End one of them first."),
    Code.TOO_MANY_LOSERS: _("Too many people to merge in one call."),
    Code.TOO_MANY_ROWS: _("There are more rows than one call accepts. Send several calls, or a stream."),
    Code.TOO_MANY_TOKENS: _("The maximum number of tokens of a user is reached. Revoke one."),
    Code.TOO_MANY_TYPES: _("The maximum number of activity types is reached."),
    Code.TOO_MANY_VALUES: _("A list in a query parameter has too many values."),
    Code.TOO_SLOW: _("The filters ask for more than can be searched in time. Narrow them by type, person or time."),
    Code.TRIGGERS_FAIL: _("The campaign's triggers fail, and are tried again; nothing they missed is lost."),
    Code.UNAPPROVED_TYPE: _("The type has no approved version."),
    Code.UNEXPECTED_ID: _("An id was given where none belongs."),
    Code.UNKNOWN_ACTIVITY: _("There is no such activity."),
    Code.UNKNOWN_ASSOCIATION: _("There is no such association of a visitor."),
    Code.UNKNOWN_CAMPAIGN: _("There is no such campaign."),
    Code.UNKNOWN_COLUMN: _("The file has no such column."),
    Code.UNKNOWN_DATA_TYPE: _("There is no such data type."),
    Code.UNKNOWN_ENCODING: _("There is no such encoding; expected names those there are."),
    Code.UNKNOWN_FIELD: _("There is no such field."),
    Code.UNKNOWN_FILTER: _(
        "The list has no filter of this name; the answer names those that come closest, the OpenAPI document all."
    ),
    Code.UNKNOWN_FOLDER: _("There is no such folder."),
    Code.UNKNOWN_FORMAT: _("There is no such format."),
    Code.UNKNOWN_KIND: _("There is no such kind; expected names those there are."),
    Code.UNKNOWN_LIST: _("There is no such list."),
    Code.UNKNOWN_LOOKUP_FIELD: _("People cannot be told apart by this field."),
    Code.UNKNOWN_MEMBER: _("The body has an unknown member. Check its spelling."),
    Code.UNKNOWN_MERGE: _("There is no such merge, or its time to be undone is over."),
    Code.UNKNOWN_ORDERING: _("The list can't be ordered this way; expected gives the possible orders."),
    Code.UNKNOWN_PERSON: _("There is no such person."),
    Code.UNKNOWN_RECORD: _("There is no such object record."),
    Code.UNKNOWN_RIGHT: _("There is no such permission."),
    Code.UNKNOWN_TOKEN: _("There is no such token."),
    Code.UNKNOWN_TYPE: _("There is no such activity type."),
    Code.UNKNOWN_USER: _("There is no such user."),
    Code.UNKNOWN_SOURCE: _("There is no such event source."),
    Code.UNKNOWN_STEP: _("There is no campaign step of this kind."),
    Code.UNKNOWN_VISITOR: _("There is no such visitor. Those who were never recognized are forgotten in time."),
    Code.UNKNOWN_WEBHOOK: _("There is no such webhook."),
    Code.UNKNOWN_WORD: _("The rules contain an unknown word; the error says where."),
    Code.UNKNOWN_WRITE_KEY: _("There is no such write key."),
    Code.UNKNOWN_ZONE: _("There is no such time zone. Names look like Europe/Madrid."),
    Code.UNREADABLE_ROW: _("The row cannot be read at all; the others were."),
    Code.UNSUPPORTED_MEDIA_TYPE: _("This media type is not accepted here; send application/json."),
    Code.VALUE_SHARED: _("Several people have this value, so it can't be used to tell them apart."),
    Code.VALUE_TAKEN: _("Another person or record has this value in a field that is unique."),
    Code.VISITOR_ERASED: _("The person that the visitor belonged to was erased; nothing is kept of the browser."),
    Code.WEAKER_EVIDENCE: _(
        "The visitor belongs to somebody by stronger evidence, which weaker one doesn't overrule. Or a consent to "
        "email came from a browser whose person no signature proves."
    ),
    Code.WRONG_KIND: _("It is not of the kind needed here."),
    Code.WRONG_STATE: _("This can't be done in its current state."),
    Code.WRONG_TYPE: _(
        "The value is of another type, or written in another way, than the field accepts; expected says how."
    ),
    # of rules and campaigns
    Code.AMBIGUOUS_NAME: _("More than one has this name. Use its API name or id."),
    Code.BAD_ESCAPE: _("A text in quotation marks has a backslash before a character that needs none."),
    Code.REVERSED: _("The bounds are reversed: the first has to be the lower or earlier one."),
    Code.TOO_MANY_FILTERS: _("There are more filters than a list can have."),
    Code.TOO_MANY_STEPS: _("There are more steps than a campaign can have."),
    Code.UNEXPECTED_VALUE: _("A value was given, but the operator takes none."),
    Code.UNKNOWN_KEY: _("There is no such type, field or list to which the rules could refer."),
    Code.UNKNOWN_NAME: _("Nothing has this name."),
    Code.UNKNOWN_OPERATOR: _("The field's data type has no such operator; expected names those it has."),
    Code.UNKNOWN_VERSION: _("This version of the form is not known; expected names those that are."),
    Code.WRONG_NUMBER: _("The filters have to be numbered 1, 2, 3 … in their order."),
}


def problem_type(code: str) -> str:
    """The address of the page of `code`: absolute where SITE_URL is set, else a path."""
    return f"{settings.SITE_URL}{PATH}{code}" if code in MEANINGS else WITHOUT_A_PAGE


@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """The page of a code: its meaning and the remedy. Raises Http404 for an unknown code."""
    if code not in MEANINGS:
        raise Http404
    return render(request, "api/problem.html", {"code": code, "meaning": MEANINGS[Code(code)]})
