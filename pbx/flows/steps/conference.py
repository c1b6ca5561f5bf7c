"""``conference: name`` lets the caller into a room of config.yaml, past its PIN if it has one."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pbx.flows.control import CallControl, Prompt, noted
from pbx.flows.known import language_of
from pbx.flows.outcome import StepFailed
from pbx.flows.own_words import ONE_OTHER, OTHERS, own
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import AGAIN, Exit, Reference, ReferenceKind, Step, Turn
from pbx.rooms import RoomFull, RoomSounds

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

PIN_TIMEOUT_S = 10.0


class Conference(Step):
    """Everybody in the room hears everybody; who is alone hears music."""

    kind: ClassVar[str] = "conference"
    takes_input: ClassVar[bool] = True
    example: ClassVar[str] = """
round:
  conference: staff
  ask: "Please enter your PIN."
  tries: 3
  leave: "#"
  on_wrong_pin: reception
  on_full: reception
  next: hangup
"""

    conference: str = Field(min_length=1, description="A conference of config.yaml.")
    ask: Spoken = Field(
        default_factory=lambda: Spoken(say="Please enter the PIN of the conference, then the hash key."),
        description="How the PIN is asked for.",
    )
    tries: int = Field(3, ge=1, le=10, description="How often the PIN may be entered.")
    leave: Literal["", "*", "#"] = Field("", description="The key that leaves the room; none if not given.")
    on_full: str | None = Field(None, description="Where to go when nobody more may enter.")
    on_wrong_pin: str | None = Field(None, description="Where to go when no try brought the PIN.")
    next: str | None = Field(None, description="Where to go after the room.")

    @property
    def detail(self) -> str:
        return self.conference

    def exits(self) -> list[Exit]:
        ways = [
            Exit("full", self.on_full, ("on_full",)),
            Exit("wrong PIN", self.on_wrong_pin, ("on_wrong_pin",)),
        ]
        return [way for way in ways if way.target is not None] + [
            Exit("after the room", self.next, ("next",), served=True)
        ]

    def references(self) -> list[Reference]:
        return [
            Reference(ReferenceKind.CONFERENCE, self.conference, ("conference",)),
            *self.ask.references("ask"),
        ]

    def said(self) -> list[Said]:
        return self.ask.said("ask", ours="ask" not in self.model_fields_set)

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        room = around.conferences.get(self.conference)
        if room is None:
            raise StepFailed(f"there is no conference {self.conference}")
        if room.pin is not None:
            pressed = await call.collect(
                await self.ask.prompt(call, around),
                max_digits=len(room.pin),
                timeout_s=PIN_TIMEOUT_S,
                hidden=True,
            )
            if pressed != room.pin:
                if visit + 1 < self.tries:
                    return Turn(AGAIN, f"a wrong PIN; asking again ({visit + 1} of {self.tries - 1})")
                return Turn(self.on_wrong_pin, "a wrong PIN, and that was the last try", way="wrong PIN")
        sounds = RoomSounds(room.join, room.leave, room.music)
        try:
            with around.rooms.entered(self.conference, most=room.max_members) as entered:
                if entered.members:
                    await call.play(greeting(entered.members, language_of(call)))
                with noted(f"in the conference {self.conference}"):
                    stay = await call.confer(entered, sounds=sounds, leave_key=self.leave)
        except RoomFull:
            because = f"{room.max_members} are in the conference, and that is all it takes"
            return Turn(self.on_full, because, way="full")
        end = f"left it with {self.leave}" if stay.by_key else "stayed until it was closed"
        because = f"the caller was in the conference for {stay.stayed_s:.0f} s and {end}"
        return Turn(self.next, because, way="after the room")


def greeting(others: int, language: str) -> Prompt:
    """Said to whom comes into a room that is not empty."""
    return own(ONE_OTHER, language) if others == 1 else own(OTHERS, language, others=others)
