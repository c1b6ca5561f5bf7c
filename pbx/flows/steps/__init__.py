"""Every step there is, by the key that names it in YAML. A new step is a file here and a line below."""

from pbx.flows.step import Step
from pbx.flows.steps.callback import Callback
from pbx.flows.steps.collect import Collect
from pbx.flows.steps.condition import Condition
from pbx.flows.steps.conference import Conference
from pbx.flows.steps.dial import Dial
from pbx.flows.steps.directory import Directory
from pbx.flows.steps.geo import Geo
from pbx.flows.steps.goto import Goto
from pbx.flows.steps.hangup import Hangup
from pbx.flows.steps.menu import Menu
from pbx.flows.steps.message import Message
from pbx.flows.steps.park import Park
from pbx.flows.steps.pickup import Pickup
from pbx.flows.steps.play import Play
from pbx.flows.steps.queue import Queue
from pbx.flows.steps.record import Record
from pbx.flows.steps.say import Say
from pbx.flows.steps.schedule import Schedule
from pbx.flows.steps.score import Score
from pbx.flows.steps.set import Set
from pbx.flows.steps.split import Split
from pbx.flows.steps.tag import Tag
from pbx.flows.steps.voicemail import Voicemail
from pbx.flows.steps.wait import Wait
from pbx.flows.steps.webhook import Webhook
from pbx.flows.steps.whisper import Whisper

STEPS: dict[str, type[Step]] = {
    step.kind: step
    for step in (
        Say,
        Play,
        Wait,
        Record,
        Menu,
        Collect,
        Schedule,
        Condition,
        Geo,
        Split,
        Dial,
        Queue,
        Callback,
        Voicemail,
        Set,
        Tag,
        Score,
        Whisper,
        Directory,
        Conference,
        Park,
        Pickup,
        Webhook,
        Message,
        Hangup,
        Goto,
    )
}
