"""The picture of a type, an icon and a colour: proposed from its names, or chosen by its creator.

Icons are Material symbols of the font that the pages load anyway; colours are numbers of the palette in css/people.css.
"""

import unicodedata

COLOURS = 10
DEFAULT = "bolt"

# icon: beginnings of words, English and Spanish, with its meaning; the first icon with a hit is proposed
WORDS: dict[str, tuple[str, ...]] = {
    "co_present": ("demo", "presentation", "presentacion", "pitch"),
    "videocam": ("webinar", "video", "seminar", "stream", "watch"),
    "shopping_cart": ("purchas", "buy", "bought", "order", "checkout", "cart", "compr", "pedid", "carrito"),
    "undo": ("refund", "return", "devol", "reembols"),
    "event_busy": ("cancel", "no-show", "churn", "baja"),
    "autorenew": ("renew", "subscription", "renov", "suscri"),
    "event": ("event", "attend", "meeting", "appointment", "book", "reserv", "evento", "asist", "reunion", "cita"),
    "call": ("call", "phone", "llamad", "telefon", "voicemail"),
    "support_agent": (
        "support",
        "case",
        "ticket",
        "complain",
        "help",
        "soporte",
        "caso",
        "incidencia",
        "ayuda",
        "queja",
    ),
    "school": ("course", "train", "lesson", "learn", "certif", "curso", "formacion", "leccion", "clase"),
    "hourglass_top": ("trial", "prueba"),
    "payments": ("pay", "invoice", "deposit", "check", "cheque", "pago", "pagar", "pagad", "factura", "ingres"),
    "account_balance": ("bank", "loan", "credit", "banco", "prestamo", "hipoteca"),
    "directions_car": ("car", "vehicle", "test drive", "coche", "vehiculo", "auto"),
    "build": ("service", "repair", "install", "maint", "servicio", "repara", "instala", "taller"),
    "download": ("download", "descarg"),
    "upload": ("upload", "subid"),
    "description": ("form", "document", "contract", "sign", "quote", "proposal", "contrat", "firm", "presupuest"),
    "mail": ("mail", "letter", "newsletter", "correo", "carta", "boletin"),
    "sms": ("sms", "text message", "whatsapp", "chat", "message", "mensaj"),
    "language": ("web", "page", "site", "visit", "pagina", "sitio"),
    "ads_click": ("click", "ad", "clic", "anuncio"),
    "login": ("login", "log in", "sign in", "signed in", "sesion"),
    "person_add": ("sign up", "signup", "register", "join", "created account", "regist", "alta", "new person"),
    "star": ("review", "rate", "rating", "nps", "survey", "feedback", "valor", "encuesta", "opinion"),
    "trending_up": ("score", "upgrade", "moment", "puntua", "mejora"),
    "trending_down": ("downgrade",),
    "local_shipping": ("ship", "deliver", "parcel", "envio", "entreg"),
    "storefront": ("store", "shop", "tienda"),
    "flight": ("flight", "travel", "trip", "vuelo", "viaj"),
    "hotel": ("hotel", "stay", "alojamiento", "estancia"),
    "restaurant": ("restaurant", "meal", "dinner", "comida", "cena"),
    "confirmation_number": ("coupon", "voucher", "redeem", "ticket bought", "cupon", "canje"),
    "card_giftcard": ("gift", "donat", "reward", "regalo", "don", "premio"),
    "share": ("share", "refer", "recommend", "compart", "recomend"),
    "location_on": ("check-in", "location", "place", "lugar"),
    "headphones": ("podcast", "listen", "audio", "escuch"),
    "campaign": ("campaign", "campana"),
    "merge": ("merge", "fusion"),
    "edit": ("change", "cambi"),
    "playlist_add": ("list", "lista"),
    "delete": ("delete", "remove", "elimin"),
    "bolt": (),
}


def propose_icon(*names: str) -> str:
    """The icon that matches the names, in either language; the default icon without a match."""
    for name in names:
        text = f" {_folded(name)}"
        for icon, beginnings in WORDS.items():
            if any(f" {beginning}" in text for beginning in beginnings):
                return icon
    return DEFAULT


def is_icon(name: str) -> bool:
    return name in WORDS


def default_colour(number: int) -> int:
    """The default colour of a type; neighbouring types get different ones."""
    return number % COLOURS


def _folded(text: str) -> str:
    """Lower case without accents; words split where programs join them, as in "demoRequested"."""
    parted = "".join(f" {letter}" if letter.isupper() else letter for letter in text.replace("_", " "))
    plain = unicodedata.normalize("NFKD", parted).encode("ascii", "ignore").decode()
    return " ".join(plain.lower().split())
