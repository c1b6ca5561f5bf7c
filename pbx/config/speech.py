"""``speech:`` how texts are spoken."""

from pydantic import Field

from pbx.config.fields import Model
from pbx.flows.languages import Language


class SpeechSettings(Model):
    voices: dict[Language, str] = Field(
        default_factory=dict,
        description="espeak-ng's voice for a language, such as `es: es-es`; else its usual one.",
    )
    words_a_minute: int = Field(160, ge=80, le=450, description="How fast texts are spoken.")
