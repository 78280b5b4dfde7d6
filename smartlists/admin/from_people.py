"""A smart list made from the filters of the list of people."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from people.core.admin.base import require_rights, show_page
from people.core.errors import RejectedError
from people.directory.query import PeopleQuery
from people.rights import VIEW_PERSON
from smartlists.admin.base import NAME
from smartlists.catalog import Catalogue
from smartlists.lists import editing, people_list
from smartlists.models import SmartList
from smartlists.rights import ADD_SMARTLIST
from smartlists.rules import sentences


def make_smart_list(request: HttpRequest) -> HttpResponse:
    """Show the rules that the filters in the address become; a POST with a name saves them as a smart list."""
    require_rights(request, VIEW_PERSON, ADD_SMARTLIST)
    query = PeopleQuery.of_address(request.GET)
    name, problem, name_problem, sentence = request.POST.get("name", ""), "", "", ""
    try:
        parsed = people_list.rules_of_query(query)
        sentence = sentences.list_sentence(parsed, Catalogue())
    except RejectedError as refusal:
        problem = str(refusal)
    else:
        if request.method == "POST":
            try:
                smart_list = editing.create_smart_list(name, parsed, request.user)
            except RejectedError as refusal:
                name_problem = str(refusal)
            else:
                messages.success(request, _("The smart list is saved."))
                return redirect(f"{NAME}_change", smart_list.pk)
    return show_page(
        request,
        SmartList,
        "from_people",
        _("Make a smart list"),
        sentence=sentence,
        problem=problem,
        name_problem=name_problem,
        name=name,
        back=f"{reverse('admin:people_person_changelist')}?{query.address()}",
    )
