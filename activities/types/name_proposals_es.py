"""Spanish verbs: past and present of infinitives, for the names proposed from a type's name."""

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
    "adquirir": ("adquirió", "adquiere"),
    "apostar": ("apostó", "apuesta"),
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
    "cordar": ("cordó", "cuerda"),
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
# verbs that follow the rules; other words with these ends may be nouns: "Webinar", "Taller", "Newsletter"
_KNOWN = """
    abandonar abonar abrir acabar acceder aceptar activar actualizar acumular adjuntar administrar adoptar agendar
    agotar agregar ahorrar alcanzar alquilar anotar anular anunciar apagar aparcar apartar aplazar aplicar aportar
    aprender apuntar archivar arrendar asignar asistir asociar atender aumentar autorizar avisar ayudar añadir bajar
    bloquear borrar buscar calcular calificar cambiar canalizar cancelar canjear cargar casar celebrar circular
    cobrar coger colaborar comentar comer compartir completar comprar comunicar conectar confirmar conocer consultar
    consumir contactar contestar contratar convocar copiar correr crear cubrir cuidar cumplir dar deber decidir
    declarar dejar denunciar depositar desactivar desbloquear descargar descubrir desear detallar detectar diseñar
    disfrutar donar duplicar editar ejecutar eliminar emitir encargar encender enseñar entrar entregar entrevistar
    equipar escanear escoger escribir escuchar esperar estrenar estudiar evitar examinar exceder exportar facturar
    fallar faltar felicitar finalizar financiar firmar formar ganar gastar generar gestionar grabar guardar
    habilitar hablar importar imprimir indicar informar ingresar iniciar inscribir insertar instalar intentar
    interactuar intercambiar interesar invitar limpiar llamar llegar llenar lograr luchar mandar marcar matricular
    mejorar meter migrar mirar modificar montar necesitar notificar ocultar ocurrir ofrecer olvidar opinar ordenar
    organizar pagar participar pasar pinchar planificar practicar preguntar preparar presentar prestar programar
    prolongar promocionar pronunciar publicar pulsar quejar quitar reactivar realizar recargar rechazar recibir
    reciclar reclamar recoger recorrer recuperar redactar reducir reembolsar reemplazar referir regalar registrar
    regresar reiniciar relacionar rellenar reparar repasar reprogramar reservar responder restaurar retirar revisar
    revocar romper salir saltar seleccionar señalar solicitar subir subscribir superar suscribir suspender sustituir
    terminar tocar tomar trabajar tramitar transferir trasladar tratar unir usar utilizar validar valorar vender
    verificar viajar visitar visualizar vivir votar
"""
KNOWN = frozenset(_KNOWN.split())
PARTICIPLE_ENDS = ("ado", "ada", "ados", "adas", "ido", "ida", "idos", "idas", "ído", "ída")
_PARTICIPLES = """
    abierto cubierto dicho escrito hecho impreso inscrito puesto resuelto roto suscrito visto vuelto
"""
PARTICIPLES = frozenset(_PARTICIPLES.split())
REGULAR = {"ar": ("ó", "a"), "er": ("ió", "e"), "ir": ("ió", "e")}


def conjugate(infinitive: str) -> tuple[str, str] | None:
    """The third person singular (past, present) of a verb in lower case; None when it is not known as a verb.

    "comprar" is ("compró", "compra"), "registrarse" is ("se registró", "se registra").
    """
    if infinitive.endswith(("arse", "erse", "irse")):
        conjugated = conjugate(infinitive[:-2])
        return conjugated and (f"se {conjugated[0]}", f"se {conjugated[1]}")
    if infinitive in IRREGULAR:
        return IRREGULAR[infinitive]
    for end in sorted(IRREGULAR_ENDS, key=len, reverse=True):
        if infinitive.endswith(end):
            return _with_ends(infinitive.removesuffix(end), IRREGULAR_ENDS[end])
    if infinitive in KNOWN:
        return _with_ends(infinitive[:-2], REGULAR[infinitive[-2:]])
    return None


def _with_ends(stem: str, ends: tuple[str, str]) -> tuple[str, str]:
    return stem + ends[0], stem + ends[1]


def is_participle(word: str) -> bool:
    """True for a participle in lower case: "solicitada", "vistos"."""
    singular = word.removesuffix("s")
    stem = singular[:-1] + "o" if singular.endswith("a") else singular
    return stem in PARTICIPLES or (len(word) > 4 and word.endswith(PARTICIPLE_ENDS))
