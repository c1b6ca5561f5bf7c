"""A headless softphone (pjsua2) in a process of its own: ``python -m pbx.phone`` with a plan on stdin.

It shares no code with our own SIP and media, so what it hears is what a stranger's phone would
hear. ``pbx call``, the demo's callers and agents and the tests all run it. pjsua2 is GPL and stops
at four calls, so it never shares our process: the plan comes in as one line of JSON, and what
happens goes out as lines of JSON (see :class:`Plan`; events are named in :meth:`_Phone.say`).

pjsua2's rules, each learnt the hard way: one thread pumps ``libHandleEvents``; a ``getInfo()``
result is held in a variable while its members are read; every object is dropped before
``libDestroy``; TCP needs a bound address.
"""

import gc
import json
import math
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pjsua2 as pj

from pbx.phone_plan import Plan, listen_to


class _Call(pj.Call):  # type: ignore[misc]
    def __init__(self, phone: "_Phone", call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.began = time.monotonic()
        self.player: pj.AudioMediaPlayer | None = None
        self.recorder: pj.AudioMediaRecorder | None = None
        self.confirmed = False
        self.on_ringing: Callable[[], None] | None = None
        self.on_confirmed: Callable[[], None] | None = None

    def onCallState(self, prm: Any) -> None:
        info = self.getInfo()
        self.phone.state_changed(self, info)

    def onCallMediaState(self, prm: Any) -> None:
        info = self.getInfo()
        for index, media in enumerate(info.media):
            if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                self.phone.audio_active(self, self.getAudioMedia(index))

    def onCallTransferStatus(self, prm: Any) -> None:
        self.phone.say("transfer", status=prm.statusCode, final=prm.finalNotify)

    def onDtmfDigit(self, prm: Any) -> None:
        self.phone.say("key", digit=prm.digit)


class _Account(pj.Account):  # type: ignore[misc]
    def __init__(self, phone: "_Phone") -> None:
        super().__init__()
        self.phone = phone

    def onRegState(self, prm: Any) -> None:
        self.phone.say("registered" if prm.code == 200 else "registration_failed", status=prm.code)
        if prm.code == 200 and self.phone.plan.call:
            self.phone.after(0, self.phone.dial)

    def onIncomingCall(self, prm: Any) -> None:
        self.phone.incoming(prm.callId)


class _Phone:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.done = False
        self.calls: list[_Call] = []
        self._due: list[tuple[float, Callable[[], None]]] = []
        # pjlib greets on standard output before it can be told not to: that is not for our reader.
        self._out = os.fdopen(os.dup(1), "w")
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        self._endpoint = pj.Endpoint()
        self._endpoint.libCreate()
        config = pj.EpConfig()
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = "dialtrace-phone"
        config.logConfig.level = 0
        config.logConfig.consoleLevel = 0
        config.medConfig.noVad = True
        config.medConfig.ecTailLen = 0
        self._endpoint.libInit(config)
        self._endpoint.audDevManager().setNullDev()
        transport = pj.TransportConfig()
        transport.port = plan.port
        transport.boundAddress = plan.address
        kind = pj.PJSIP_TRANSPORT_TCP if plan.transport == "tcp" else pj.PJSIP_TRANSPORT_UDP
        self._endpoint.transportCreate(kind, transport)
        self._endpoint.libStart()
        if plan.codec:
            for codec in self._endpoint.codecEnum2():
                wanted = codec.codecId.lower().startswith(f"{plan.codec.lower()}/")
                self._endpoint.codecSetPriority(codec.codecId, 255 if wanted else 0)
        self.account = _Account(self)
        self.account.create(self._account_config())

    def _account_config(self) -> Any:
        plan, config = self.plan, pj.AccountConfig()
        config.idUri = plan.id_uri
        config.mediaConfig.transportConfig.boundAddress = plan.address
        config.mediaConfig.transportConfig.publicAddress = plan.address
        if plan.srtp:
            config.mediaConfig.srtpUse = pj.PJMEDIA_SRTP_MANDATORY
            config.mediaConfig.srtpSecureSignaling = 0
        if plan.registrar:
            config.regConfig.registrarUri = plan.registrar
        if plan.proxy:
            config.sipConfig.proxies.append(plan.proxy)
        if plan.username:
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", plan.username, 0, plan.password))
        return config

    def say(self, event: str, **values: object) -> None:
        """One line on standard output: ``listening``, ``registered``, ``ringing``, ``answered``, ``audio``,
        ``held``, ``resumed``, ``transfer``, ``pressed``, ``key_failed``, ``key``, ``incoming``, ``ended``,
        ``heard``, ``failed``."""
        print(json.dumps({"event": event, "at": time.time(), **values}), file=self._out, flush=True)

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self._due.append((time.monotonic() + seconds, action))

    def run(self) -> None:
        """Pump until the plan is through."""
        self.say("listening")
        if self.plan.call and not self.plan.registrar:
            self.dial()
        elif self.plan.run_for_s:
            self.after(self.plan.run_for_s, self.stop)
        while not self.done:
            self._endpoint.libHandleEvents(10)
            now = time.monotonic()
            due = [action for at, action in self._due if at <= now]
            self._due = [entry for entry in self._due if entry[0] > now]
            for action in due:
                action()

    def dial(self) -> None:
        """Make the call of the plan: at once, or when the registration stands."""
        if self.calls or self.done:
            return
        call = _Call(self)
        self.calls.append(call)
        parameters = pj.CallOpParam(True)
        parameters.opt.audioCount, parameters.opt.videoCount = 1, 0
        if self.plan.replaces:
            replaces = pj.SipHeader()
            replaces.hName, replaces.hValue = "Replaces", self.plan.replaces
            parameters.txOption.headers.append(replaces)
        call.makeCall(self.plan.call, parameters)
        self.after(self.plan.give_up_after_s, lambda: self._give_up(call))

    def stop(self) -> None:
        """Let :meth:`run` come to its end; :meth:`close` then hangs up and takes the registration back."""
        self.done = True

    def close(self) -> None:
        for call in self.calls:
            call.player = call.recorder = None
        self.calls.clear()
        self._due.clear()
        gc.collect()  # a call that outlives the library takes the process down with it
        if self.plan.registrar:
            self.account.setRegistration(False)
            until = time.monotonic() + 0.5
            while time.monotonic() < until:
                self._endpoint.libHandleEvents(10)
        self.account.shutdown()
        del self.account
        self._endpoint.libDestroy()

    def report_heard(self) -> None:
        """What the recording holds. The file is whole only after :meth:`close`."""
        if self.plan.record and Path(self.plan.record).exists():
            heard = listen_to(Path(self.plan.record))
            self.say("heard", seconds=heard.seconds, audible_s=heard.audible_s, speech=heard.speech)

    def _give_up(self, call: _Call) -> None:
        if not call.confirmed and not self.done:
            self.say("failed", reason=f"no answer in {self.plan.give_up_after_s:g} s")
            self._hang_up(call)

    def _hang_up(self, call: _Call) -> None:
        if call in self.calls and call.isActive():
            call.hangup(pj.CallOpParam())

    def incoming(self, call_id: int) -> None:
        call = _Call(self, call_id)
        self.calls.append(call)
        info = call.getInfo()
        self.say("incoming", from_=info.remoteUri)
        parameters = pj.CallOpParam()
        parameters.statusCode = 180
        call.answer(parameters)

        def answer() -> None:
            if call in self.calls and call.isActive():
                final = pj.CallOpParam()
                final.statusCode = self.plan.reject_with or 200
                call.answer(final)

        self.after(self.plan.answer_after_s, answer)

    def state_changed(self, call: _Call, info: Any) -> None:
        ms = round((time.monotonic() - call.began) * 1000)
        if info.state == pj.PJSIP_INV_STATE_EARLY:
            self.say("ringing", ms=ms)
            ring, call.on_ringing = call.on_ringing, None
            if ring is not None:
                ring()
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            call.confirmed = True
            if call.on_confirmed is not None:
                call.on_confirmed()
            self.say("answered", ms=ms, from_=info.remoteUri)
            self._press(call, self.plan.press_after_s, self.plan.press)
            if call is self.calls[0]:
                self._hold_and_transfer(call)
            if self.plan.hang_up_after_s:
                self.after(self.plan.hang_up_after_s, lambda: self._hang_up(call))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            self._ended(call, info)

    def _hold_and_transfer(self, call: _Call) -> None:
        plan = self.plan
        if plan.hold_after_s:
            self.after(plan.hold_after_s, lambda: self._while_up(call, self._hold))
            self.after(plan.hold_after_s + plan.hold_for_s, lambda: self._while_up(call, self._resume))
        if plan.transfer_to:
            act = self._consult if plan.consult else self._transfer
            self.after(plan.transfer_after_s, lambda: self._while_up(call, act))

    def _while_up(self, call: _Call, act: Callable[[_Call], None]) -> None:
        if call in self.calls and call.isActive():
            act(call)

    def _hold(self, call: _Call) -> None:
        call.setHold(pj.CallOpParam())
        self.say("held")

    def _resume(self, call: _Call) -> None:
        parameters = pj.CallOpParam()
        parameters.opt.flag = pj.PJSUA_CALL_UNHOLD
        parameters.opt.audioCount, parameters.opt.videoCount = 1, 0
        call.reinvite(parameters)
        self.say("resumed")

    def _transfer(self, call: _Call) -> None:
        call.xfer(self.plan.transfer_to, pj.CallOpParam())

    def _consult(self, call: _Call) -> None:
        self._hold(call)
        second = _Call(self)
        refers, named = (second, call) if self.plan.transfer_by_second else (call, second)

        def join() -> None:
            self.after(self.plan.transfer_after_s, lambda: refers.xferReplaces(named, pj.CallOpParam()))

        if self.plan.transfer_ringing:
            second.on_ringing = join
        else:
            second.on_confirmed = join
        self.calls.append(second)
        parameters = pj.CallOpParam(True)
        parameters.opt.audioCount, parameters.opt.videoCount = 1, 0
        second.makeCall(self.plan.transfer_to, parameters)

    def _ended(self, call: _Call, info: Any) -> None:
        self.say("ended", status=info.lastStatusCode, reason=info.lastReason, answered=call.confirmed)
        call.player = call.recorder = None
        if call in self.calls:
            self.calls.remove(call)
        if self.plan.call:
            self.done = True

    def _press(self, call: _Call, delay_s: float, keys: str) -> None:
        for key in keys:
            if key == ",":
                delay_s += 1.0
                continue
            self.after(delay_s, lambda key=key: self._press_one(call, key))  # type: ignore[misc]
            delay_s += 0.4

    def _press_one(self, call: _Call, key: str) -> None:
        if call in self.calls and call.isActive():
            try:
                call.dialDtmf(key)
            except pj.Error as error:
                self.say("key_failed", digit=key, reason=error.reason)
            else:
                self.say("pressed", digit=key)

    def audio_active(self, call: _Call, audio: Any) -> None:
        self.say("audio")
        if self.plan.play and call.player is None:
            call.player = pj.AudioMediaPlayer()
            call.player.createPlayer(self.plan.play, pj.PJMEDIA_FILE_NO_LOOP)
        if call.player is None:
            # With nobody to talk, the bridge soon stops asking the call for packets: keys would not go out.
            call.player = pj.ToneGenerator()
            call.player.createToneGenerator()
        call.player.startTransmit(audio)
        if self.plan.record and call.recorder is None:
            call.recorder = pj.AudioMediaRecorder()
            call.recorder.createRecorder(self.plan.record)
        if call.recorder is not None:
            audio.startTransmit(call.recorder)


def main() -> None:
    plan = Plan(**json.loads(sys.stdin.readline()))
    if not math.isfinite(plan.give_up_after_s):
        raise SystemExit("give_up_after_s must be a number of seconds")
    phone = _Phone(plan)
    # Whoever ends this process ends a phone properly: nobody is left talking or registered nowhere.
    signal.signal(signal.SIGTERM, lambda number, frame: phone.stop())
    try:
        phone.run()
    except pj.Error as error:
        phone.say("failed", reason=error.reason)
    finally:
        phone.close()
    phone.report_heard()


if __name__ == "__main__":
    main()
