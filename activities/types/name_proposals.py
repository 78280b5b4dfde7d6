"""Names for an activity type, proposed from its own name; always editable afterwards.

Convention (Marketo): the name is an infinitive ("Deposit Check"), the filter speaks of the past
("Deposited Check"), the trigger of the present ("Deposits Check").
"""

import re
from collections.abc import Iterable
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
class Proposal:
    api_name: str
    filter_name: str
    trigger_name: str


def propose(name: str, language: str = "en") -> Proposal:
    """What to call the API name, filter and trigger of a type called `name`; empty for an empty name.

    With language "es" a Spanish infinitive is conjugated the Spanish way: "Comprar coche" is "Compró coche".
    """
    words = name.split()
    if not words:
        return Proposal("", "", "")
    verb, rest = words[0], words[1:]
    spanish = name_proposals_es.conjugate(verb.lower()) if language == "es" else None
    in_past, in_present = spanish or (past(verb.lower()), present(verb.lower()))
    return Proposal(api_name(name), " ".join([_like(verb, in_past), *rest]), " ".join([_like(verb, in_present), *rest]))


def api_name(name: str) -> str:
    """`name` in camel case with plain letters and digits only: "Depósito: Check 2" is "depositoCheck2"."""
    plain = "".join(letter for letter in normalize("NFKD", name) if not combining(letter))
    words = re.findall(r"[A-Za-z0-9]+", plain)
    if not words:
        return ""
    first, rest = words[0], words[1:]
    start = first.lower() if first.isupper() else first[0].lower() + first[1:]
    return start + "".join(word[0].upper() + word[1:] for word in rest)


def past(verb: str) -> str:
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


def present(verb: str) -> str:
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


def alike(name: str, others: Iterable[str], limit: int = 3) -> list[str]:
    """Those of `others` that look so much like `name` that the same may be meant, most alike first."""
    keys = {" ".join(re.findall(r"\w+", other.lower())): other for other in others}
    return [keys[key] for key in get_close_matches(" ".join(re.findall(r"\w+", name.lower())), keys, limit, 0.8)]
