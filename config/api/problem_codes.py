"""What each code of a problem means: its page under /api/docs/problems/, which the problem's `type` names."""

from collections.abc import Mapping

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

PATH = "/api/docs/problems/"
WITHOUT_A_PAGE = "about:blank"  # what RFC 9457 has for a problem of which the status says all

MEANINGS: Mapping[str, object] = {
    "address_too_long": _("The address has more than 8,192 bytes. Send long lists in several calls."),
    "already_queued": _("The same work is already waiting to be done. Wait until it has ended."),
    "already_started": _("The work has already begun and cannot be changed any more."),
    "always_matches": _("The rule holds for everybody. Narrow it, or leave it out."),
    "ambiguous_person": _("Several people have this value. Name the person by id, or by a field that is unique."),
    "api_name_taken": _("The API name is in use or was in use once. API names are never given twice: choose another."),
    "archived_list": _("The list is archived. Restore it first."),
    "bad_cursor": _("The cursor does not belong to this list and these filters. Begin again without a cursor."),
    "bad_file": _("The file cannot be read as what it is said to be."),
    "bad_header": _("A header, of the request or of a file, cannot be understood."),
    "bad_idempotency_key": _("An Idempotency-Key has 1 to 200 printable ASCII characters without blanks."),
    "bad_json": _("The JSON cannot be read, or has a form that is not taken here."),
    "bad_logic": _(
        "The rule logic cannot be read. It combines the numbers of filters with and, or, not and parentheses."
    ),
    "bad_mode": _("The mode is none of those that there are."),
    "bad_name": _("The name has characters that are not taken, or another form than names have."),
    "bad_template": _("A template has a placeholder that cannot be filled in."),
    "bad_text": _("The text form of the rules cannot be read; the error says at which place."),
    "bad_token": _("The paging token is none that this installation gave."),
    "bad_url": _("The address cannot be called: it is malformed, or leads to where webhooks may not go."),
    "cancelled": _("The work was cancelled before it ended."),
    "cannot_be_unique": _(
        "Several people have the same value in this field, or its data type cannot tell people apart."
    ),
    "changed_meanwhile": _("Somebody else changed it since you read it. Read it again; nothing was overwritten."),
    "confirmation_needed": _("What was asked for affects more than usual and has to be confirmed."),
    "conflict": _("It conflicts with how things stand."),
    "cycle": _("A list would refer to itself through others."),
    "error": _("Something failed here that nobody foresaw. It was written down; try again later."),
    "external_id_reused": _(
        "The external id was recorded before, for this person and type, with other content. Nothing was changed."
    ),
    "file_too_large": _("The file is larger than is taken here. Divide it."),
    "given_twice": _("The same thing is named twice in one call."),
    "hidden_field": _("The field is hidden. Show it again first."),
    "idempotency_key_in_use": _("A request with this Idempotency-Key is under way. Ask again when it has ended."),
    "idempotency_key_reused": _(
        "This Idempotency-Key came before with another request. Take a new key for each request."
    ),
    "in_use": _("Lists or campaigns use it; the answer names them. Take it out of them first."),
    "incomplete_body": _("The body ended before its time. Send the request again."),
    "invalid": _("The value does not fit the member."),
    "invalid_json": _("The body is no valid JSON. Members named twice and numbers like NaN are not taken either."),
    "invalid_token": _("The token is unknown, revoked or over. Get a new one."),
    "kept_shorter": _("The time it is kept for is shorter than something else needs."),
    "key_missing": _("The key that sealed a secret is not there any more. Enter the secret again."),
    "locked_api_name": _("The API name is fixed at the first approval."),
    "locked_data_type": _("The data type is fixed at the first approval."),
    "locked_primary": _("Which field is primary is fixed at the first approval."),
    "merge_covered": _("A later merge covers this one. Undo the later one first."),
    "merge_undone": _("The merge was undone already."),
    "merge_with_itself": _("A person cannot be merged with themselves."),
    "method_not_allowed": _("The address does not take this method; the header Allow names those it takes."),
    "missing_value": _("A value is needed and is not there, or is blank."),
    "more_problems": _("The row has more faults than are told at once. Mend these and send it again."),
    "more_refused": _("More rows were refused than are told at once."),
    "name_taken": _("Another one has this name. Choose another."),
    "never_approved": _("The type has never been approved: nothing can be recorded of it yet."),
    "never_matches": _("The rule holds for nobody. Its constraints exclude each other."),
    "no_draft": _("There is no draft. Begin one first."),
    "no_plan": _("The import has no plan yet. Say first which column goes where."),
    "no_pyarrow": _("This installation cannot write the format: a library is not installed."),
    "no_space": _("The disk is nearly full. Nothing was written; an operator has to make room."),
    "no_audience": _("The campaign has no audience, so that it would run for everybody."),
    "no_step": _("The campaign has no step, or none of this number."),
    "no_trigger": _("The campaign has no trigger."),
    "not_acceptable": _("Only JSON is answered here."),
    "not_allowed": _("The right for it is missing; expected names it. An API client has at most its owner's rights."),
    "not_authenticated": _("Nobody is signed in, and there is no token. Send Authorization: Bearer and the token."),
    "not_deleted": _("It is not deleted, so it cannot be brought back."),
    "not_empty": _("It still holds something. Empty it first."),
    "not_found": _("There is nothing at this address, or not for you."),
    "not_ready": _("It is not ready yet. Ask again later."),
    "not_retired": _("The type is not retired."),
    "out_of_range": _("The value lies outside of what is taken; expected says within which bounds."),
    "over_cap": _("It would be more than is allowed in one go."),
    "permission_denied": _("The request was refused. With a session, the CSRF token has to be sent with it."),
    "person_deleted": _("The person is deleted. Restore them first."),
    "person_exists": _("There is a person with this value already."),
    "person_merged": _("The person was merged into another one; the answer names it."),
    "precondition_failed": _(
        "It is not in the state that If-Match names any more. Read it again; nothing was overwritten."
    ),
    "ragged_row": _("The row has more or fewer cells than the header."),
    "read_only_field": _("The field cannot be written through this call."),
    "removed_field": _("The field was removed from the type by an approved version."),
    "repeated_header": _("A header may be sent only once."),
    "reply_erased": _("The reply that this Idempotency-Key had was erased with a person."),
    "retired_type": _("The type is retired and takes no new activities."),
    "revoked_client": _("The API client is revoked for ever. Create another one."),
    "second_approver": _("Nobody approves a draft that they edited themselves. Another person has to."),
    "sign_in_incomplete": _("The sign-in lacks a step: a password to change, or a second factor."),
    "standard_field": _("Standard fields of people cannot be changed this way."),
    "standard_type": _("Standard activity types cannot be changed this way."),
    "throttled": _("Too many calls. Retry-After says when to come back."),
    "timeout": _("It took too long and was given up. Ask for less."),
    "too_deep": _("The nesting is deeper than is taken."),
    "too_large": _("The body is larger than is taken in one call. Send several calls, or a stream."),
    "too_late": _("The time within which this can be undone or changed is over."),
    "too_long": _("The text is longer than the field takes; expected says how long it may be."),
    "too_many": _("There are more of them than is taken in one call; expected says how many."),
    "too_many_calls": _("The calls of this minute are used up. Retry-After says for how long."),
    "too_many_fields": _("There are as many fields as there can be."),
    "too_many_jobs": _("Too much work of this kind is waiting. Come back when some of it has ended."),
    "too_many_losers": _("More people are to be merged than in one call."),
    "too_many_rows": _("There are more rows than in one call. Send several calls, or a stream."),
    "too_many_tokens": _("There are as many tokens as one user can have. Revoke one."),
    "too_many_types": _("There are as many activity types as there can be."),
    "too_many_values": _("A list in a query parameter has more values than are taken."),
    "too_slow": _("The filters ask for more than can be looked for in time. Narrow them by type, person or time."),
    "unapproved_type": _("The type has no approved version."),
    "unexpected_id": _("An id was given where none belongs."),
    "unknown_activity": _("There is no such activity."),
    "unknown_campaign": _("There is no such campaign."),
    "unknown_column": _("The file has no such column."),
    "unknown_data_type": _("There is no such data type."),
    "unknown_field": _("There is no such field."),
    "unknown_filter": _(
        "The list has no filter of this name; the answer names those that come closest, the OpenAPI document all."
    ),
    "unknown_folder": _("There is no such folder."),
    "unknown_format": _("There is no such format."),
    "unknown_kind": _("There is no such kind; expected names those there are."),
    "unknown_list": _("There is no such list."),
    "unknown_lookup_field": _("People cannot be told apart by this field."),
    "unknown_member": _("The body has a member that nobody reads. Look at its spelling."),
    "unknown_merge": _("There is no such merge, or its time to be undone is over."),
    "unknown_ordering": _("The list cannot be ordered this way; expected names how it can."),
    "unknown_person": _("There is no such person."),
    "unknown_right": _("There is no such right."),
    "unknown_token": _("There is no such token."),
    "unknown_type": _("There is no such activity type."),
    "unknown_user": _("There is no such user."),
    "unknown_webhook": _("There is no such webhook."),
    "unknown_word": _("A word of the rules is not known; the error says at which place."),
    "unknown_zone": _("There is no such time zone. Names look like Europe/Madrid."),
    "unreadable_row": _("The row cannot be read at all; the others were."),
    "unsupported_media_type": _("The body has a media type that is not taken here; send application/json."),
    "value_shared": _("Several people have this value, so that it cannot be used to tell them apart."),
    "value_taken": _("Another person has this value in a field that is unique."),
    "wrong_kind": _("It is of another kind than is needed here."),
    "wrong_state": _("In its present state this cannot be done."),
    "wrong_type": _(
        "The value is of another type, or written in another way, than the field takes; expected says how."
    ),
    # of rules and campaigns
    "ambiguous_name": _("Several things have this name. Name it by its API name or id."),
    "bad_escape": _("A text in quotation marks has a backslash before a character that needs none."),
    "reversed": _("The bounds are reversed: the first has to be the lower or earlier one."),
    "too_many_filters": _("There are more filters than one list takes."),
    "too_many_steps": _("There are more steps than one campaign takes."),
    "unexpected_value": _("A value was given where the operator takes none."),
    "unknown_key": _("There is no such type, field or list to which the rules could refer."),
    "unknown_name": _("Nothing has this name."),
    "unknown_operator": _("The field's data type has no such operator; expected names those it has."),
    "unknown_version": _("This version of the form is not known; expected names those that are."),
    "wrong_number": _("The filters have to be numbered 1, 2, 3 … in their order."),
}


def problem_type(code: str) -> str:
    """The address of the page about `code`: absolute where SITE_URL is set, else relative to the installation."""
    return f"{settings.SITE_URL}{PATH}{code}" if code in MEANINGS else WITHOUT_A_PAGE


@require_safe
def page(request: HttpRequest, code: str) -> HttpResponse:
    """What the code means and what to do. Raises Http404 for a code that there is not."""
    if code not in MEANINGS:
        raise Http404
    return render(request, "api/problem.html", {"code": code, "meaning": MEANINGS[code]})
