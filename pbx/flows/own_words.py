"""What Dialtrace itself says, beside what an admin wrote: to callers in the call's language, to agents in
the server's.

A language that is not here hears English, spoken as English. What callers hear of a queue may be
written in any language in ``config.yaml`` (``say_position``, ``say_wait``).
"""

from collections.abc import Mapping

from pbx.flows.control import Prompt
from pbx.flows.languages import in_language

_SMALL = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

POSITION = {
    "en": "You are number {place} in line.",
    "es": "Usted es el número {place} en la fila.",
    "fr": "Vous êtes numéro {place} dans la file d'attente.",
    "de": "Sie sind Nummer {place} in der Warteschlange.",
    "it": "Lei è il numero {place} in attesa.",
    "pt": "Você é o número {place} na fila.",
    "nl": "U bent nummer {place} in de wachtrij.",
}
WAIT_A_MINUTE = {
    "en": "Your wait is about a minute.",
    "es": "El tiempo de espera es de un minuto, aproximadamente.",
    "fr": "Votre attente est d'environ une minute.",
    "de": "Die Wartezeit beträgt etwa eine Minute.",
    "it": "L'attesa è di circa un minuto.",
    "pt": "O tempo de espera é de cerca de um minuto.",
    "nl": "De wachttijd is ongeveer een minuut.",
}
WAIT = {
    "en": "Your wait is about {minutes} minutes.",
    "es": "El tiempo de espera es de {minutes} minutos, aproximadamente.",
    "fr": "Votre attente est d'environ {minutes} minutes.",
    "de": "Die Wartezeit beträgt etwa {minutes} Minuten.",
    "it": "L'attesa è di circa {minutes} minuti.",
    "pt": "O tempo de espera é de cerca de {minutes} minutos.",
    "nl": "De wachttijd is ongeveer {minutes} minuten.",
}
READ_BACK = {
    "en": "You entered {entered}. Press 1 to confirm, or 2 to enter it again.",
    "es": "Ha marcado {entered}. Oprima 1 para confirmar, o 2 para marcar de nuevo.",
    "fr": "Vous avez composé {entered}. Tapez 1 pour confirmer, ou 2 pour recommencer.",
    "de": "Ihre Eingabe ist {entered}. Drücken Sie 1, um sie zu bestätigen, oder 2, um sie zu wiederholen.",
    "it": "Ha digitato {entered}. Prema 1 per confermare, o 2 per ripetere.",
    "pt": "Você digitou {entered}. Pressione 1 para confirmar, ou 2 para digitar de novo.",
    "nl": "U heeft {entered} ingetoetst. Druk 1 om te bevestigen, of 2 om het opnieuw te doen.",
}
APOLOGY = {
    "en": "Sorry, something went wrong. Please call again later.",
    "es": "Lo sentimos, ha ocurrido un error. Por favor, llame más tarde.",
    "fr": "Désolé, une erreur s'est produite. Veuillez rappeler plus tard.",
    "de": "Entschuldigung, es ist ein Fehler aufgetreten. Bitte rufen Sie später noch einmal an.",
    "it": "Ci scusiamo, si è verificato un errore. La preghiamo di richiamare più tardi.",
    "pt": "Desculpe, ocorreu um erro. Por favor, ligue mais tarde.",
    "nl": "Sorry, er is iets misgegaan. Belt u later nog eens.",
}
ONE_OTHER = {
    "en": "There is one other in the conference.",
    "es": "Hay otra persona en la conferencia.",
    "fr": "Il y a une autre personne dans la conférence.",
    "de": "Es ist schon jemand in der Konferenz.",
    "it": "C'è un'altra persona nella conferenza.",
    "pt": "Há outra pessoa na conferência.",
    "nl": "Er is één ander in de conferentie.",
}
OTHERS = {
    "en": "There are {others} in the conference.",
    "es": "Hay {others} personas en la conferencia.",
    "fr": "Il y a {others} personnes dans la conférence.",
    "de": "Es sind schon {others} Personen in der Konferenz.",
    "it": "Ci sono {others} persone nella conferenza.",
    "pt": "Há {others} pessoas na conferência.",
    "nl": "Er zijn {others} anderen in de conferentie.",
}
CHOICE = {
    "en": "For {name}, press {key}.",
    "es": "Para hablar con {name}, oprima {key}.",
    "fr": "Pour {name}, tapez {key}.",
    "de": "Für {name}, drücken Sie {key}.",
    "it": "Per {name}, prema {key}.",
    "pt": "Para {name}, pressione {key}.",
    "nl": "Voor {name}, druk {key}.",
}
PARKED_AT = {
    "en": "Parked at {orbit}.",
    "es": "La llamada espera en {orbit}.",
    "fr": "Appel en attente au {orbit}.",
    "de": "Geparkt auf {orbit}.",
    "it": "La chiamata è in attesa su {orbit}.",
    "pt": "A chamada espera em {orbit}.",
    "nl": "Geparkeerd op {orbit}.",
}
ECHO = {
    "en": "You will hear yourself. Hang up when you are done.",
    "es": "Oirá su propia voz. Cuelgue cuando termine.",
    "fr": "Vous allez vous entendre. Raccrochez pour terminer.",
    "de": "Sie hören sich jetzt selbst. Legen Sie auf, wenn Sie fertig sind.",
}
NOBODY_CALLED = {
    "en": "Nobody has called you yet.",
    "es": "Nadie le ha llamado todavía.",
    "fr": "Personne ne vous a encore appelé.",
    "de": "Es hat Sie noch niemand angerufen.",
}
NOBODY_PARKED = {
    "en": "Nobody is parked there.",
    "es": "No hay ninguna llamada en espera ahí.",
    "fr": "Il n'y a pas d'appel en attente ici.",
    "de": "Dort ist niemand geparkt.",
}
NOT_ALLOWED = {
    "en": "You may not do that.",
    "es": "No tiene permiso para eso.",
    "fr": "Vous n'avez pas ce droit.",
    "de": "Das dürfen Sie nicht.",
}
NO_SUCH_CALL = {
    "en": "There is no such call.",
    "es": "No existe esa llamada.",
    "fr": "Cet appel n'existe pas.",
    "de": "Diesen Anruf gibt es nicht.",
}
NO_SUCH_REASON = {
    "en": "There is no such reason for a pause.",
    "es": "No existe ese motivo de pausa.",
    "fr": "Ce motif de pause n'existe pas.",
    "de": "Diesen Grund für eine Pause gibt es nicht.",
}
PAUSED = {
    "en": "You are paused.",
    "es": "Está en pausa.",
    "fr": "Vous êtes en pause.",
    "de": "Sie machen Pause.",
}
PAUSED_FOR = {
    "en": "You are paused: {reason}.",
    "es": "Está en pausa: {reason}.",
    "fr": "Vous êtes en pause : {reason}.",
    "de": "Sie machen Pause: {reason}.",
}
RESUMED = {
    "en": "You take calls again.",
    "es": "Recibe llamadas de nuevo.",
    "fr": "Vous prenez de nouveau les appels.",
    "de": "Sie nehmen wieder Anrufe an.",
}
LOGGED_IN = {
    "en": "You are logged in to {queue}.",
    "es": "Ha entrado en {queue}.",
    "fr": "Vous êtes connecté à {queue}.",
    "de": "Sie sind angemeldet bei {queue}.",
}
LOGGED_OUT = {
    "en": "You are logged out of {queue}.",
    "es": "Ha salido de {queue}.",
    "fr": "Vous êtes déconnecté de {queue}.",
    "de": "Sie sind abgemeldet von {queue}.",
}
ALL_QUEUES = {
    "en": "all your queues",
    "es": "todas sus filas",
    "fr": "toutes vos files",
    "de": "allen Ihren Warteschlangen",
}
NOT_OF_QUEUE = {
    "en": "You are no member of that queue.",
    "es": "No es miembro de esa fila.",
    "fr": "Vous n'êtes pas membre de cette file.",
    "de": "Sie gehören nicht zu dieser Warteschlange.",
}
NOT_OF_ANY = {
    "en": "You are no member of any queue.",
    "es": "No es miembro de ninguna fila.",
    "fr": "Vous n'êtes membre d'aucune file.",
    "de": "Sie gehören zu keiner Warteschlange.",
}


def own(words: str | Mapping[str, str], language: str, **values: int | str) -> Prompt:
    """One of these texts, or what an admin wrote in its place, with its values put in."""
    spoken_in, text = in_language(words, language)
    for name, value in values.items():  # an admin's text is no format string
        shown = _numeral(value, spoken_in) if isinstance(value, int) else value
        text = text.replace(f"{{{name}}}", shown)
    return Prompt(text=text, language=spoken_in)


def _numeral(number: int, language: str) -> str:
    """English has words for the small ones; of other languages, the synthesiser knows the gender."""
    small = language.partition("-")[0] == "en" and 1 <= number <= len(_SMALL)
    return _SMALL[number - 1] if small else str(number)
