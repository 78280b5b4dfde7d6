import pytest

from activities.types.name_proposals import api_name, past, present, propose


def test_a_proposal():
    proposal = propose("Deposit Check")
    assert (proposal.api_name, proposal.filter_name, proposal.trigger_name) == (
        "depositCheck",
        "Deposited Check",
        "Deposits Check",
    )


def test_nothing_is_proposed_for_nothing():
    assert propose("  ").api_name == propose("").filter_name == ""


@pytest.mark.parametrize(
    ("verb", "past_form", "present_form"),
    [
        ("attend", "attended", "attends"),
        ("buy", "bought", "buys"),
        ("apply", "applied", "applies"),
        ("play", "played", "plays"),
        ("ship", "shipped", "ships"),
        ("submit", "submitted", "submits"),
        ("visit", "visited", "visits"),
        ("go", "went", "goes"),
        ("fix", "fixed", "fixes"),
        ("watch", "watched", "watches"),
        ("change", "changed", "changes"),
        ("have", "had", "has"),
        ("sell", "sold", "sells"),
        ("redeem", "redeemed", "redeems"),
        ("chat", "chatted", "chats"),
        ("renew", "renewed", "renews"),
        ("cancel", "canceled", "cancels"),
        ("panic", "panicked", "panics"),
        ("occur", "occurred", "occurs"),
    ],
)
def test_verbs(verb, past_form, present_form):
    assert (past(verb), present(verb)) == (past_form, present_form)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Depósito: Check 2", "depositoCheck2"),
        ("VIP Visit", "vipVisit"),
        ("attend_webinar", "attendWebinar"),
        ("日本", ""),
    ],
)
def test_api_names(name, expected):
    assert api_name(name) == expected


@pytest.mark.parametrize(
    ("name", "filter_name", "trigger_name"),
    [
        ("Ingresar cheque", "Ingresó cheque", "Ingresa cheque"),
        ("Asistir a un seminario", "Asistió a un seminario", "Asiste a un seminario"),
        ("Registrarse", "Se registró", "Se registra"),
        ("Darse de baja", "Se dio de baja", "Se da de baja"),
        ("Devolver pedido", "Devolvió pedido", "Devuelve pedido"),
        ("Obtener crédito", "Obtuvo crédito", "Obtiene crédito"),
        ("Construir casa", "Construyó casa", "Construye casa"),
        ("Distinguir", "Distinguió", "Distingue"),
        ("VER vídeo", "VIO vídeo", "VE vídeo"),
        ("Buy car", "Bought car", "Buys car"),
    ],
)
def test_in_spanish_a_spanish_verb_is_conjugated_the_spanish_way(name, filter_name, trigger_name):
    proposal = propose(name, "es")
    assert (proposal.filter_name, proposal.trigger_name) == (filter_name, trigger_name)
