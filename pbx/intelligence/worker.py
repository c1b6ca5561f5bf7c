"""The process that recognises: ``python -m pbx.intelligence.worker MODEL PARENT_PID``.

One JSON object a line. It says ``{"ready": true}`` once the model is loaded, or ``{"broken": why}``
and ends. Then it reads ``{"wav": path, "speakers": [...]}`` and answers each with ``{"words":
[...]}`` or ``{"problem": why}``. It ends when its input does.

Recognition must never cost a call anything: the process runs at nice 19, in one thread. It dies with
its parent, also when that is killed in the middle of a recording.
"""

import ctypes
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from pbx.intelligence.recogniser import ModelBroken, Recogniser

NICENESS = 19
_PR_SET_PDEATHSIG = 1


def main(model: str, parent: str) -> None:
    _die_with(int(parent))
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's, which ends us in its time
    answers = _private_output()

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    try:
        recogniser = Recogniser(Path(model))
    except ModelBroken as error:
        answer(broken=str(error))
        return
    answer(ready=True)
    for line in sys.stdin:
        job = json.loads(line)
        try:
            answer(words=recogniser.transcribe(Path(job["wav"]), job["speakers"]))
        except OSError as error:
            answer(problem=f"the recording cannot be read: {error.strerror or error}")
        except ValueError as error:
            answer(problem=str(error))


def _die_with(parent: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before we asked
        sys.exit(1)


def _private_output() -> Any:
    """Standard output for answers alone: whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    main(*sys.argv[1:])
