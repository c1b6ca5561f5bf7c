"""A flow of one step, for callers who are sent to a queue without a file that says so."""

from pathlib import Path

from pbx.flows.flow import Flow
from pbx.flows.step import Step
from pbx.flows.steps.queue import Queue


def queue_flow(name: str) -> Flow:
    """To wait in a queue, and nothing else."""
    return single_step(f"queue-{name}", Queue(queue=name))


def single_step(name: str, step: Step) -> Flow:
    """The flow whose only step is ``step``; when that is over, so is the call."""
    return Flow(name=name, start=name, steps={name: step}, path=Path(f"{name}.yaml"))
