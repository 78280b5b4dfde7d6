"""Names for an activity type, proposed from its own name; always editable afterwards.

Convention (Marketo): a name that begins with a verb is an infinitive ("Deposit Check"), the filter speaks of the past
("Deposited Check"), the trigger of the present ("Deposits Check"). A name without a known verb is not inflected.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from unicodedata import combining, normalize

from activities.types import name_proposals_es

# infinitive: past
IRREGULAR = {
    "be": "was",
    "become": "became",
    "begin": "began",
    "bet": "bet",
    "bid": "bid",
    "break": "broke",
    "bring": "brought",
    "build": "built",
    "buy": "bought",
    "cast": "cast",
    "catch": "caught",
    "choose": "chose",
    "come": "came",
    "cost": "cost",
    "cut": "cut",
    "deal": "dealt",
    "do": "did",
    "draw": "drew",
    "drink": "drank",
    "drive": "drove",
    "eat": "ate",
    "fall": "fell",
    "feed": "fed",
    "feel": "felt",
    "fight": "fought",
    "find": "found",
    "fly": "flew",
    "forget": "forgot",
    "forgive": "forgave",
    "get": "got",
    "give": "gave",
    "go": "went",
    "grow": "grew",
    "hang": "hung",
    "have": "had",
    "hear": "heard",
    "hide": "hid",
    "hit": "hit",
    "hold": "held",
    "keep": "kept",
    "know": "knew",
    "lay": "laid",
    "lead": "led",
    "leave": "left",
    "lend": "lent",
    "let": "let",
    "lose": "lost",
    "make": "made",
    "mean": "meant",
    "meet": "met",
    "overcome": "overcame",
    "overtake": "overtook",
    "pay": "paid",
    "prepay": "prepaid",
    "put": "put",
    "quit": "quit",
    "read": "read",
    "rebuild": "rebuilt",
    "redo": "redid",
    "repay": "repaid",
    "resell": "resold",
    "reset": "reset",
    "ride": "rode",
    "ring": "rang",
    "rise": "rose",
    "run": "ran",
    "say": "said",
    "see": "saw",
    "seek": "sought",
    "sell": "sold",
    "send": "sent",
    "set": "set",
    "shake": "shook",
    "shine": "shone",
    "shoot": "shot",
    "show": "showed",
    "shut": "shut",
    "sing": "sang",
    "sit": "sat",
    "sleep": "slept",
    "speak": "spoke",
    "spend": "spent",
    "split": "split",
    "spread": "spread",
    "stand": "stood",
    "steal": "stole",
    "stick": "stuck",
    "strike": "struck",
    "swim": "swam",
    "take": "took",
    "teach": "taught",
    "tell": "told",
    "think": "thought",
    "throw": "threw",
    "undergo": "underwent",
    "understand": "understood",
    "undo": "undid",
    "upset": "upset",
    "wake": "woke",
    "wear": "wore",
    "win": "won",
    "withdraw": "withdrew",
    "write": "wrote",
}
PRESENT = {"be": "is", "have": "has"}
# verbs that follow the rules and that names of activity types begin with; any other word may be a noun
_REGULAR = """
    abandon accept accumulate achieve acquire activate add adjust admit advance agree allow amend announce
    appeal apply appoint approve arrange arrive ask assign attach attempt attend authorize bounce browse
    calculate cancel capture check clear click close collect commit compare complain complete configure confirm
    connect consent consult consume continue convert copy create customize deactivate decide decline decrease
    deliver deploy deposit detect develop disable discover dismiss dispute donate double downgrade earn edit
    enable end engage enquire enroll enter escalate evaluate exceed execute expand expire explore extend fail
    fill finance finish fix follow forward fulfill fund gain generate greet hire identify ignore inform initiate
    inquire inspect install insure interact invest invite join launch learn like listen load log manage mark
    migrate miss modify move nominate notify obtain open opt participate pass pause pick pitch place pledge
    possess prefer prepare present promote propose protest provide publish qualify raise reach reactivate
    receive recommend recover redeem reduce refer refinance refuse register reject remain remember remove renew
    reopen replace reschedule reserve resolve respond resume retain return revoke roll save scan schedule select
    serve ship sign skip solve start stop stream study submit subscribe suspend swap switch tap touch track
    trigger try unlock unsubscribe use validate verify vote wait want watch
"""
REGULAR = frozenset(_REGULAR.split())
# verbs that are as often the noun at the beginning of a name: "Order shipment", "Visit request"
_NOUN_OR_VERB = """
    access answer award book call change charge chat claim comment contact download drive exchange file film
    issue lease link mail message offer order plan play post print process purchase quote rate refund release
    rent repair reply request review run score search share show test text trade transfer travel update upgrade
    upload view visit walk work
"""
NOUN_OR_VERB = frozenset(_NOUN_OR_VERB.split())
# in the table of irregular verbs, but nouns in the names of activity types: "Lead score", "Deal value"
_NOUNS = """
    bet bid cast cost deal drink fall feed hit lead ring rise set split spread stand stick strike
"""
NOUNS = frozenset(_NOUNS.split())
# English infinitives that are words of Spanish, too
ALSO_SPANISH = frozenset({"come", "pitch", "scan", "stop", "swap"})
_PARTICIPLES = """
    begun bought broken brought built caught chosen done drawn driven eaten fallen forgotten found given gone
    grown heard held hidden kept known left lost made met paid ridden risen seen sent shown sold spent spoken
    stolen taken taught thrown told undone withdrawn woken won worn written
"""
PARTICIPLES = frozenset(_PARTICIPLES.split())
DETERMINERS = frozenset({"a", "an", "the"})  # they follow a verb
NOUN_ENDS = ("al", "tion", "sion", "ment", "ance", "ence")
VOWELS = "aeiou"
# verbs of several syllables that double their last letter because it is stressed
DOUBLING = {
    "admit",
    "commit",
    "compel",
    "control",
    "defer",
    "equip",
    "expel",
    "forbid",
    "occur",
    "omit",
    "patrol",
    "permit",
    "prefer",
    "propel",
    "rebut",
    "recur",
    "refer",
    "regret",
    "remit",
    "resubmit",
    "submit",
    "transfer",
    "transmit",
    "unplug",
    "unsub",
}


@dataclass(frozen=True, slots=True)
class NamesProposal:
    api_name: str
    filter_name: str
    trigger_name: str


def propose_names(name: str, language: str = "en") -> NamesProposal:
    """Proposed API name, filter name and trigger name of a type called `name`; empty for an empty name.

    Only a first word that is a known verb is inflected; a name of another kind ("Order Completed", "Webinar
    attended", "Login") stays unchanged for filter and trigger alike. With language "es" a Spanish infinitive is
    conjugated by Spanish rules: "Comprar coche" is "Compró coche".
    """
    words = name.split()
    if not words:
        return NamesProposal("", "", "")
    inflected = _inflected([word.lower() for word in words], language)
    in_past, in_present = (
        [" ".join([_like(words[0], verb), *words[1:]]) for verb in inflected] if inflected else [" ".join(words)] * 2
    )
    return NamesProposal(propose_api_name(name), in_past, in_present)


def _inflected(words: Sequence[str], language: str) -> tuple[str, str] | None:
    """Past and present of the first word of a name; None where it is no known verb."""
    if language == "es":
        if conjugated := name_proposals_es.conjugate(words[0]):
            return conjugated
        if words[0] in NOUN_OR_VERB | ALSO_SPANISH or name_proposals_es.is_participle(words[-1]):
            return None
    return (past_tense(words[0]), present_tense(words[0])) if _begins_with_verb(words) else None


def _begins_with_verb(words: Sequence[str]) -> bool:
    first, last = words[0], words[-1]
    if len(words) > 1 and _is_participle(last):
        return False  # a thing and a participle: "Order Completed"
    if first in NOUN_OR_VERB:  # a verb only before a thing
        if len(words) == 1 or words[1] in DETERMINERS:
            return len(words) > 1
        return not (_is_verb(last) or last in NOUN_OR_VERB or last.endswith(NOUN_ENDS))
    return _is_verb(first)


def _is_verb(word: str) -> bool:
    return (word in REGULAR or word in IRREGULAR or word in DOUBLING) and word not in NOUNS | NOUN_OR_VERB


def _is_participle(word: str) -> bool:
    return word in PARTICIPLES or (len(word) > 4 and word.endswith("ed") and not word.endswith("eed"))


def propose_api_name(name: str) -> str:
    """`name` in camel case with plain letters and digits only: "Depósito: Check 2" is "depositoCheck2"."""
    plain = "".join(letter for letter in normalize("NFKD", name) if not combining(letter))
    words = re.findall(r"[A-Za-z0-9]+", plain)
    if not words:
        return ""
    first, rest = words[0], words[1:]
    start = first.lower() if first.isupper() else first[0].lower() + first[1:]
    return start + "".join(word[0].upper() + word[1:] for word in rest)


def past_tense(verb: str) -> str:
    """The simple past of an English verb in lower case."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return verb + "d"
    if _ends_in_consonant_y(verb):
        return verb[:-1] + "ied"
    if _doubles(verb):
        return verb + verb[-1] + "ed"
    if verb.endswith("c"):
        return verb + "ked"
    return verb + "ed"


def present_tense(verb: str) -> str:
    """The third person singular of an English verb in lower case."""
    if verb in PRESENT:
        return PRESENT[verb]
    if _ends_in_consonant_y(verb):
        return verb[:-1] + "ies"
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    return verb + "s"


def _ends_in_consonant_y(verb: str) -> bool:
    return len(verb) > 1 and verb.endswith("y") and verb[-2] not in VOWELS


def _doubles(verb: str) -> bool:
    """Consonant, one vowel, consonant, in one stressed syllable: "shop" is "shopped"."""
    if verb in DOUBLING:
        return True
    return bool(re.fullmatch(r"[^aeiou]*(?:qu)?[aeiou][^aeiouwxy]", verb)) and len(verb) > 2


def _like(original: str, word: str) -> str:
    """`word` with the capitals of `original`."""
    if original.isupper() and len(original) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if original[:1].isupper() else word


def similar_names(name: str, others: Iterable[str], limit: int = 3) -> list[str]:
    """The names among `others` that are so similar to `name` that they may mean the same, the most similar first."""
    keys = {" ".join(re.findall(r"\w+", other.lower())): other for other in others}
    return [keys[key] for key in get_close_matches(" ".join(re.findall(r"\w+", name.lower())), keys, limit, 0.8)]
