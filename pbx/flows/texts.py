"""Every text that a site's flows may speak, so that it can be made before a caller waits for it."""

from collections.abc import Iterable

from pbx.flows.flow import Flow
from pbx.flows.prompts import Spoken
from pbx.flows.step import Step
from pbx.flows.steps.conference import Conference, greeting
from pbx.flows.steps.dial import Dial
from pbx.flows.steps.menu import Menu
from pbx.flows.steps.say import Say
from pbx.flows.steps.voicemail import Voicemail
from pbx.flows.steps.whisper import Whisper


def spoken_texts(flows: Iterable[Flow], whispers: Iterable[str]) -> set[str]:
    texts = {text for flow in flows for step in flow.steps.values() for text in _of(step)}
    return {text for text in texts | set(whispers) if text}


def _of(step: Step) -> list[str]:
    match step:
        case Say(say=text):
            return [text]
        case Dial(whisper=text):
            return [text or ""]
        case Menu(menu=Spoken(say=text)):
            return [text or ""]
        case Whisper(whisper=text):
            return [text]
        case Conference(ask=ask):
            return [ask.say or "", greeting(1)]
        case Voicemail(voicemail=box) if box.greeting is not None:
            return [box.greeting.say or ""]
        case _:
            return []
