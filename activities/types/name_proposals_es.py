"""Spanish verbs: from the infinitive to what somebody did and does, for the names that a type's name proposes."""

# infinitive: (past, present); those of the second table also stand for their compounds (obtener, devolver)
IRREGULAR = {
    "dar": ("dio", "da"),
    "ir": ("fue", "va"),
    "ser": ("fue", "es"),
    "ver": ("vio", "ve"),
    "estar": ("estuvo", "está"),
    "haber": ("hubo", "hay"),
    "saber": ("supo", "sabe"),
    "poder": ("pudo", "puede"),
    "querer": ("quiso", "quiere"),
    "oír": ("oyó", "oye"),
    "reír": ("rio", "ríe"),
    "jugar": ("jugó", "juega"),
    "medir": ("midió", "mide"),
    "reunir": ("reunió", "reúne"),
    "elegir": ("eligió", "elige"),
    "dormir": ("durmió", "duerme"),
}
IRREGULAR_ENDS = {
    "hacer": ("hizo", "hace"),
    "tener": ("tuvo", "tiene"),
    "venir": ("vino", "viene"),
    "poner": ("puso", "pone"),
    "decir": ("dijo", "dice"),
    "traer": ("trajo", "trae"),
    "ducir": ("dujo", "duce"),
    "volver": ("volvió", "vuelve"),
    "solver": ("solvió", "suelve"),
    "mover": ("movió", "mueve"),
    "leer": ("leyó", "lee"),
    "creer": ("creyó", "cree"),
    "caer": ("cayó", "cae"),
    "pedir": ("pidió", "pide"),
    "seguir": ("siguió", "sigue"),
    "servir": ("sirvió", "sirve"),
    "petir": ("pitió", "pite"),
    "vertir": ("virtió", "vierte"),
    "ferir": ("firió", "fiere"),
    "gerir": ("girió", "giere"),
    "contar": ("contó", "cuenta"),
    "contrar": ("contró", "cuentra"),
    "probar": ("probó", "prueba"),
    "mostrar": ("mostró", "muestra"),
    "acordar": ("acordó", "acuerda"),
    "novar": ("novó", "nueva"),
    "cerrar": ("cerró", "cierra"),
    "empezar": ("empezó", "empieza"),
    "comenzar": ("comenzó", "comienza"),
    "pensar": ("pensó", "piensa"),
    "mendar": ("mendó", "mienda"),
    "perder": ("perdió", "pierde"),
    "tender": ("tendió", "tiende"),
    "enviar": ("envió", "envía"),
    "ampliar": ("amplió", "amplía"),
    "fiar": ("fió", "fía"),
    "tinuar": ("tinuó", "tinúa"),
    "aluar": ("aluó", "alúa"),
    "ctuar": ("ctuó", "ctúa"),
    "guir": ("guió", "gue"),
    "uir": ("uyó", "uye"),
}
REGULAR = {"ar": ("ó", "a"), "er": ("ió", "e"), "ir": ("ió", "e")}


def conjugate(infinitive: str) -> tuple[str, str] | None:
    """The third person singular (past, present) of a verb in lower case; None when it is no Spanish infinitive.

    "comprar" is ("compró", "compra"), "registrarse" is ("se registró", "se registra").
    """
    if infinitive.endswith(("arse", "erse", "irse")):
        found = conjugate(infinitive[:-2])
        return found and (f"se {found[0]}", f"se {found[1]}")
    if infinitive in IRREGULAR:
        return IRREGULAR[infinitive]
    for ends in (IRREGULAR_ENDS, REGULAR):
        for end in sorted(ends, key=len, reverse=True):
            stem = infinitive.removesuffix(end)
            if stem != infinitive and (stem or ends is IRREGULAR_ENDS):
                past, present = ends[end]
                return stem + past, stem + present
    return None
