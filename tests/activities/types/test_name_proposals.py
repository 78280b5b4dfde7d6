import pytest

from activities.types.name_proposals import past_tense, present_tense, propose_api_name, propose_names


def test_a_proposal():
    proposal = propose_names("Deposit Check")
    assert (proposal.api_name, proposal.filter_name, proposal.trigger_name) == (
        "depositCheck",
        "Deposited Check",
        "Deposits Check",
    )


def test_nothing_is_proposed_for_nothing():
    assert propose_names("  ").api_name == propose_names("").filter_name == ""


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
    assert (past_tense(verb), present_tense(verb)) == (past_form, present_form)


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
    assert propose_api_name(name) == expected


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
    proposal = propose_names(name, "es")
    assert (proposal.filter_name, proposal.trigger_name) == (filter_name, trigger_name)


# name: what filter and trigger are called; None: as the type is
ENGLISH = {
    "Attend Webinar": ("Attended Webinar", "Attends Webinar"),
    "Book demo": ("Booked demo", "Books demo"),
    "Book a test drive": ("Booked a test drive", "Books a test drive"),
    "Change the address": ("Changed the address", "Changes the address"),
    "Buy Car": ("Bought Car", "Buys Car"),
    "Call support": ("Called support", "Calls support"),
    "Cancel subscription": ("Canceled subscription", "Cancels subscription"),
    "Check in": ("Checked in", "Checks in"),
    "Click link in email": ("Clicked link in email", "Clicks link in email"),
    "Complete course": ("Completed course", "Completes course"),
    "Download whitepaper": ("Downloaded whitepaper", "Downloads whitepaper"),
    "Enroll in program": ("Enrolled in program", "Enrolls in program"),
    "Fill out form": ("Filled out form", "Fills out form"),
    "File complaint": ("Filed complaint", "Files complaint"),
    "Install app": ("Installed app", "Installs app"),
    "Join community": ("Joined community", "Joins community"),
    "Log in": ("Logged in", "Logs in"),
    "Make payment": ("Made payment", "Makes payment"),
    "Opt out": ("Opted out", "Opts out"),
    "Order product": ("Ordered product", "Orders product"),
    "Pay invoice": ("Paid invoice", "Pays invoice"),
    "Place order": ("Placed order", "Places order"),
    "Place bet": ("Placed bet", "Places bet"),
    "Read article": ("Read article", "Reads article"),
    "Redeem coupon": ("Redeemed coupon", "Redeems coupon"),
    "Renew contract": ("Renewed contract", "Renews contract"),
    "Request a quote": ("Requested a quote", "Requests a quote"),
    "Return item": ("Returned item", "Returns item"),
    "Sign up": ("Signed up", "Signs up"),
    "Start trial": ("Started trial", "Starts trial"),
    "Submit application": ("Submitted application", "Submits application"),
    "Subscribe": ("Subscribed", "Subscribes"),
    "Try on": ("Tried on", "Tries on"),
    "Visit store": ("Visited store", "Visits store"),
    "WATCH video": ("WATCHED video", "WATCHES video"),
    "Account created": None,
    "App opened": None,
    "Attended webinar": None,
    "Call center visit": None,
    "Change request": None,
    "Contract signed": None,
    "Deal won": None,
    "Demo requested": None,
    "Email bounced": None,
    "Form filled out online": None,
    "Invoice paid": None,
    "Lead score": None,
    "Login": None,
    "Meeting booked": None,
    "NPS answer": None,
    "Newsletter signup": None,
    "Order": None,
    "Order Completed": None,
    "Order shipment": None,
    "Plan renewal": None,
    "Pricing page viewed": None,
    "Product review": None,
    "Purchase": None,
    "Purchase order sent": None,
    "Quote given": None,
    "Subscription renewal": None,
    "Support ticket": None,
    "Test drive": None,
    "Trial started": None,
    "Visit booked": None,
    "Visit request": None,
    "Webinar": None,
    "Webinar attended": None,
    "Workshop": None,
}
SPANISH = {
    "Abrir correo": ("Abrió correo", "Abre correo"),
    "Adquirir vivienda": ("Adquirió vivienda", "Adquiere vivienda"),
    "Añadir al carrito": ("Añadió al carrito", "Añade al carrito"),
    "Comprar coche": ("Compró coche", "Compra coche"),
    "Descargar folleto": ("Descargó folleto", "Descarga folleto"),
    "Hacer clic": ("Hizo clic", "Hace clic"),
    "Inscribirse en un curso": ("Se inscribió en un curso", "Se inscribe en un curso"),
    "Pagar factura": ("Pagó factura", "Paga factura"),
    "Pedir presupuesto": ("Pidió presupuesto", "Pide presupuesto"),
    "Recordar cita": ("Recordó cita", "Recuerda cita"),
    "Rellenar formulario": ("Rellenó formulario", "Rellena formulario"),
    "Renovar contrato": ("Renovó contrato", "Renueva contrato"),
    "Reservar taller": ("Reservó taller", "Reserva taller"),
    "Solicitar demo": ("Solicitó demo", "Solicita demo"),
    "Ver vídeo": ("Vio vídeo", "Ve vídeo"),
    "Attend webinar": ("Attended webinar", "Attends webinar"),
    "Alquiler pagado": None,
    "Celular activado": None,
    "Chat iniciado": None,
    "Demo solicitada": None,
    "Inicio de sesión": None,
    "Lugar visitado": None,
    "Máster solicitado": None,
    "Newsletter abierta": None,
    "Pedido completado": None,
    "Plan anual": None,
    "Renovación de suscripción": None,
    "Reunión reservada": None,
    "Seminario visto": None,
    "Taller reservado": None,
    "Test completado": None,
    "Visita": None,
    "Webinar visto": None,
}


@pytest.mark.parametrize(
    ("language", "name", "expected"),
    [("en", *case) for case in ENGLISH.items()] + [("es", *case) for case in SPANISH.items()],
)
def test_only_known_verbs_are_inflected(language, name, expected):
    proposal = propose_names(name, language)
    assert (proposal.filter_name, proposal.trigger_name) == (expected or (name, name))


def test_blanks_are_the_one_thing_that_changes_in_what_is_left_as_named():
    assert propose_names("  Webinar   attended ").filter_name == "Webinar attended"
