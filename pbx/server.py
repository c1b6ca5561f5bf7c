"""The server: every part put together, started in order, stopped in order.

Start: store (with its migrations and whatever the spool still holds), media worker, SIP sockets,
web. Calls are taken only when all of it stands. Stop: no new calls, wait for those in progress up
to ``server.drain``, end the rest, then everything in the reverse order, so that no event of a call
that is ending is lost.
"""

import asyncio
import logging
import os
import secrets
import socket
import uuid
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, replace

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from media.client import WorkerEngine
from media.tts import Speech, SpeechUnavailable, Voice, voice_of
from pbx.agent_calls import AgentCalls
from pbx.agents import AgentBoard, AgentWatch
from pbx.attestation import Certificates
from pbx.attribution.visitors import Visitors
from pbx.bans import BanList
from pbx.call_back import LiveCallback
from pbx.call_recording import habits_of
from pbx.calls import Equipment
from pbx.channels.service import Channels
from pbx.clock import Clock, SystemClock
from pbx.config import snapshot
from pbx.config.addresses import parse_address
from pbx.config.difference import needs_restart
from pbx.config.load import Site, load
from pbx.config.problems import ConfigErrors
from pbx.config.sip import SipKeyPair
from pbx.control import serve_control
from pbx.dialplan import understand
from pbx.events import CallEnded, CallStarted, EventBus, LegStarted
from pbx.feature_codes import dialled_codes, in_call_codes
from pbx.flows.interpreter import Surroundings
from pbx.flows.texts import spoken_texts
from pbx.httpclient import WebClient
from pbx.intelligence.service import TranscriptionService
from pbx.kept_recordings import KeptRecordings
from pbx.legs import Exchange
from pbx.originate import Originator
from pbx.outbound_rules import OutboundRules
from pbx.parking import ParkingLot
from pbx.queues import Queues
from pbx.rooms import Rooms
from pbx.routing import SiteRouter
from pbx.siptrace.archive import Archive
from pbx.siptrace.hep import HepExporter
from pbx.siptrace.recorder import TraceRecorder
from pbx.store.agent_states import AgentStates
from pbx.store.callbacks import open_promises
from pbx.store.calls import Calls
from pbx.store.database import open_engine
from pbx.store.dimensions import Basis
from pbx.store.earlier import EarlierCalls
from pbx.store.encoding import to_ms
from pbx.store.people import People
from pbx.store.queue_visits import of_day
from pbx.store.reports import Reports
from pbx.store.traffic import FlowTraffic
from pbx.store.visitors import VisitorStore
from pbx.store.writer import CallWriter
from pbx.summing import Summing
from pbx.supervision import LiveCalls
from pbx.switchboard import Desk, Switchboard
from pbx.transfer import TransferRules
from pbx.web.app import create_app, create_public_app
from pbx.web.state import ChannelDesk, Floor, WebState
from pbx.webserver import serve_web
from sip import Account, KeyPair, Limits, Rules, Stack, StackConfig, Tls, Trunk

log = logging.getLogger(__name__)


class Server:
    """One running site."""

    def __init__(self, site: Site, clock: Clock | None = None) -> None:
        """``clock`` is the machine's if not given."""
        self.site = site
        self.clock = clock or SystemClock()
        self.bus = EventBus()
        self.outbound = OutboundRules(
            site.config.outbound, site.config.server.country, self.clock, self.bus.publish
        )
        self.rooms = Rooms()
        self.parking = ParkingLot()
        self.live = LiveCalls()
        self.web = WebClient(site.config.outgoing.private)
        self.channels: Channels
        self.writer: CallWriter
        self.database: Engine
        self.calls: Calls
        self.engine: WorkerEngine
        self.stack: Stack
        self.router: SiteRouter
        self.bans: BanList
        self.trace: TraceRecorder
        self.board: AgentBoard
        self.watch: AgentWatch
        self.queues: Queues
        self.visitors: Visitors
        self.switchboard: Switchboard
        self.originator: Originator
        self.web_state: WebState
        self._parts = AsyncExitStack()
        self._speaking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Raises what a part raises that cannot start; nothing is left running then."""
        try:
            await self._start()
        except BaseException:
            await self._parts.aclose()
            raise

    async def _start(self) -> None:
        config = self.site.config
        self.site.data_dir.mkdir(parents=True, exist_ok=True)
        self._say_what_is_loaded()
        self.writer = CallWriter(self.site.database_url, self.site.data_dir, self.clock)
        await self.writer.start()
        self._parts.push_async_callback(self.writer.close)
        self.bus.subscribe(self.writer.write)
        self.database = open_engine(self.site.database_url)
        self._parts.callback(self.database.dispose)
        self._parts.push_async_callback(self.web.close)
        self.calls = Calls(self.database)
        self.reports = Reports(self.database)
        summing = Summing(self.reports.rollups, lambda: Basis.of(self.site.config), self.clock)
        summing.start()
        self._parts.push_async_callback(summing.close)
        first, last = config.media.port_range
        self.engine = WorkerEngine(
            address=config.media.address,
            address_ipv6=config.media.address_ipv6 or "",
            port_range=(first, last),
            rtp_timeout_s=config.media.rtp_timeout.total_seconds(),
        )
        await self.engine.start()
        self._parts.push_async_callback(self.engine.close)
        earlier = EarlierCalls(self.database)
        agent_calls = AgentCalls(earlier, self.outbound)
        self.switchboard = Switchboard(self.writer.opened, agent_calls.take)
        self.originator = Originator(self.switchboard, agent_calls, earlier, self.outbound)
        self.stack = Stack(stack_config(self.site), self.switchboard)
        self.bans = BanList(self.stack, self.clock, self.site.data_dir)
        self.bans.start()
        self._parts.push_async_callback(self.bans.close)
        self._start_trace()
        exchange = Exchange(
            self.stack,
            self.engine,
            address=config.media.address,
            address_ipv6=config.media.address_ipv6,
            external_address=config.sip.external_address,
            codecs=config.media.codecs,
            comfort_noise=config.media.comfort_noise,
        )
        self.router = router = SiteRouter(exchange, config)
        self.board = AgentBoard(config.agents, self.clock, lambda agent: self.router.reachable(agent))
        await self._restore_presence()
        self.queues = Queues(config.queues, self.board, config.agents)
        await self._restore_queue_figures()
        self.stack.registrar.on_change = lambda owner: self.board.notify()
        self.channels = Channels(
            self.site,
            self.database,
            self.bus,
            self.clock,
            self.web,
            self.stack,
            lambda: self.router,
            self.outbound,
            lambda: self.visitors,
        )
        self.channels.start()
        self._parts.push_async_callback(self.channels.close)
        await self._start_visitors()
        speech = speech_of(self.site)
        speech.clear()
        self.switchboard.desk = self._desk(self.site, router, speech)
        self.watch = AgentWatch(self.board, self.clock, self.bus.publish)
        await self._start_recordings()
        await self._start_transcription()
        await self.stack.start()
        self._parts.push_async_callback(self.stack.close)
        await self._start_control()
        await self._keep_callbacks()
        await self._start_web()
        await self._warm_prompts()
        self._parts.push_async_callback(self._stop_speaking)

    def _desk(self, site: Site, router: SiteRouter, speech: Speech) -> Desk:
        config = site.config
        around = self._surroundings(site)
        equipment = Equipment(
            engine=self.engine,
            router=router,
            clock=self.clock,
            publish=self.bus.publish,
            speak=speech.speak,
            data_dir=site.data_dir,
            record_from=config.recording.from_ if config.recording.enabled else None,
            habits=habits_of(config.recording),
            live=self.live,
            web=self.web,
            send_text=self.channels.send_text,
            transfers=self._transfers(site),
            history=lambda number, but: asyncio.to_thread(self.calls.of_caller, number, but),
        )
        return Desk(site, around, equipment, Certificates(config.stir, site.folder), self.visitors)

    async def _start_visitors(self) -> None:
        """Who was lent which number before the restart still is after it."""
        self.visitors = Visitors(self.site, self.writer.write, lambda: secrets.token_hex(16))
        known = VisitorStore(self.database)
        try:
            leases = await asyncio.to_thread(known.leases, self.clock.now())
            phones = await asyncio.to_thread(known.phones)
            learned = await asyncio.to_thread(known.learned)
        except DBAPIError as error:
            log.error("numbers lent to visitors before are not known: %s", error.orig)
        else:
            self.visitors.restore(leases, phones, learned, self.clock.now())

    def _transfers(self, site: Site) -> TransferRules:
        codes = dialled_codes(site.config.feature_codes)
        return TransferRules(
            understand=lambda dialled: understand(dialled, site, codes),
            permit=self.outbound.permit,
            board=self.board,
            codes=in_call_codes(site.config.feature_codes),
            parking=self.parking,
            ring_back_s=site.config.parking.ring_back.total_seconds(),
            language=site.config.server.language,
        )

    async def _restore_presence(self) -> None:
        """Who had paused before the restart has paused after it."""
        try:
            self.board.restore(await asyncio.to_thread(AgentStates(self.database).presences))
        except DBAPIError as error:
            log.error("pauses of agents from before are not known: %s", error.orig)

    async def _restore_queue_figures(self) -> None:
        """Fewest calls, least talk and the service level are of the day, not of this run."""
        now = self.clock.now().astimezone(self.site.config.server.zone)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        try:
            self.queues.restore(
                await asyncio.to_thread(of_day, self.database, self.site.config.queues, midnight)
            )
        except DBAPIError as error:
            log.error("what queues did today before this start is not known: %s", error.orig)

    def _surroundings(self, site: Site) -> Surroundings:
        self.parking.orbits = site.config.parking.numbers
        return Surroundings.of(site, self.board, self.queues, rooms=self.rooms, parking=self.parking)

    async def _keep_callbacks(self) -> None:
        """Those promised in this run, and those that the last one did not get to."""
        callbacks = self.queues.callbacks
        callbacks.open(LiveCallback(self.originator, self.bus), self.clock, self.bus.publish)
        self._parts.push_async_callback(callbacks.close)
        try:
            promises = await asyncio.to_thread(open_promises, self.database)
        except DBAPIError as error:
            log.error("callbacks that were promised before are not known: %s", error.orig)
            return
        for promise in promises:
            self.queues.take_up(promise, self.clock)

    async def _start_recordings(self) -> None:
        kept = KeptRecordings(
            self.site.data_dir, self.bus, self.clock, lambda: self.site.config.recording.format
        )
        try:
            left = await asyncio.to_thread(self.calls.kept_as_wav)
        except DBAPIError as error:
            left = []
            log.error("recordings that were not converted before stay as they are: %s", error.orig)
        kept.start(left)
        self._parts.push_async_callback(kept.close)

    async def _start_transcription(self) -> None:
        config = self.site.config
        if not config.transcription.enabled:
            return
        service = TranscriptionService(self.site, self.bus, self.clock)
        await service.start()
        self._parts.push_async_callback(service.close)

    def _start_trace(self) -> None:
        settings = self.site.config.trace
        archive = Archive(self.site.data_dir, settings.keep)
        self._parts.callback(archive.close)
        later = asyncio.get_running_loop().call_later
        self.trace = TraceRecorder(self.clock, archive, self.stack.local, later)
        self._parts.callback(self.trace.close)
        if settings.homer:
            address = parse_address(settings.homer)
            try:
                exporter = HepExporter(address.host, address.port, settings.homer_id, settings.homer_password)
            except OSError as error:
                log.error("no messages go to %s: %s", settings.homer, error)
            else:
                self._parts.callback(exporter.close)
                self.trace.on_message = exporter.send
        if settings.enabled or settings.homer:
            self.stack.on_message = self.trace.tap
        if settings.enabled:
            self.bus.subscribe(self.trace.hear, CallStarted, LegStarted, CallEnded)

    async def _start_control(self) -> None:
        handlers = {
            "bans": self.bans.asked_to_list,
            "lift": self.bans.asked_to_lift,
            "trace": lambda asked: {
                "messages": [each.to_json() for each in self.trace.of_call(str(asked["call"]))]
            },
        }
        try:
            self._parts.push_async_callback(await serve_control(self.site.data_dir, handlers))
        except OSError as error:
            log.error("pbx commands will not reach this server: %s", error)

    async def _start_web(self) -> None:
        self.web_state = WebState(
            config=self.site.config,
            data_dir=self.site.data_dir,
            clock=self.clock,
            bus=self.bus,
            calls=self.calls,
            start_call=self.originator.click_to_call,
            call_back=self.originator.call_back,
            supervise=self.originator.supervise,
            live=self.live,
            reports=self.reports,
            people=People(self.database),
            floor=Floor(self.board, self.watch, self.queues),
            visitors=self.visitors,
            safe=self.writer.safe,
            channels=ChannelDesk(
                self.channels.inbox, self.channels.texts, self.channels.chats, self.channels.replies
            ),
            checks={"store": lambda: self.writer.problem, "media": self._media_check, "sip": self._sip_check},
            figures=self._figures,
            trunks=self.stack.lines.status,
            flows=self.site.flows,
            spend=self.site.spend,
            traffic=FlowTraffic(self.database),
            bans=self.bans,
            trace=self.trace,
        )
        host, _, port = self.site.config.web.listen.rpartition(":")
        self._parts.push_async_callback(await serve_web(create_app(self.web_state), host, int(port)))
        if public := self.site.config.web.public_listen:
            address = parse_address(public)
            app = create_public_app(self.web_state)
            stop = await serve_web(app, address.host, address.port, "web.public_listen")
            self._parts.push_async_callback(stop)

    def _speak_ahead(self) -> None:
        """After a reload: the texts that are new are spoken meanwhile, and no call waits for all of them."""
        if self._speaking is not None:
            self._speaking.cancel()
        self._speaking = asyncio.get_running_loop().create_task(self._warm_prompts())

    async def _stop_speaking(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.wait((self._speaking,))

    async def _warm_prompts(self) -> None:
        """Make every spoken text now rather than while a caller waits for it."""
        desk = self.switchboard.desk
        assert desk is not None
        config = desk.site.config
        whispers = [number.whisper for number in config.numbers.values()]
        whispers += [pool.whisper for pool in config.pools.values()]
        others = [each.say for queue in config.queues.values() for each in queue.announcements if each.say]
        if consent := config.recording.consent:
            others.append(consent.say)
        texts = spoken_texts(desk.site.flows.values(), whispers, others, desk.site.languages)
        try:
            for text, language in sorted(texts):
                await desk.equipment.speak(text, language)
        except SpeechUnavailable as problem:
            log.error("prompts cannot be spoken: %s", problem)

    def _media_check(self) -> str:
        return "" if self.engine.pid is not None else "the media worker is being restarted"

    def _sip_check(self) -> str:
        return "" if self.stack.listening else "no SIP address is bound"

    def _figures(self) -> Mapping[str, float]:
        """Counters and gauges for /metrics."""
        counters = {f"sip_{name}_total": float(n) for name, n in asdict(self.stack.counters).items()}
        return {
            **counters,
            "calls_live": float(self.switchboard.calls),
            "sip_sessions": float(self.stack.sessions),
            "sip_dialogs": float(self.stack.dialogs),
            "sip_transactions": float(self.stack.transactions),
            "sip_registrations": float(len(self.stack.registrar)),
            "trunks_down": float(sum(not trunk.up for trunk in self.stack.lines.status())),
            "media_endpoints": float(len(self.engine._endpoints)),
            "event_loop_tasks": float(len(asyncio.all_tasks())),
            "numbers_lent": float(self.visitors.leases.lent(to_ms(self.clock.now()))),
            "pools_dry_total": float(sum(self.visitors.leases.dry.values())),
            **self.writer.figures(),
        }

    def reload(self, environment: Mapping[str, str] = os.environ) -> str:
        """Take up the config again. Returns what is wrong with it: then nothing has changed.

        Calls in progress finish on what they began with. Listening addresses, the media's ports and
        the data directory need a restart; the message says so when they differ.
        """
        try:
            site = load(self.site.path, environment)
        except ConfigErrors as errors:
            return str(errors)
        stack = stack_config(site)
        fixed = needs_restart(self.site.config, site.config)
        desk = self.switchboard.desk
        assert desk is not None
        exchange = desk.equipment.router.exchange
        exchange.update(site.config.sip.external_address)
        self.router = router = SiteRouter(exchange, site.config)
        self.site = site
        self.channels.update(site)
        self.web.private = tuple(site.config.outgoing.private)
        self.board.update(site.config.agents)
        self.stack.reconfigure(stack)
        self.queues.update(site.config.queues, site.config.agents)
        self.outbound.update(site.config.outbound, site.config.server.country)
        config = site.config
        self.switchboard.desk = Desk(
            site,
            self._surroundings(site),
            replace(
                desk.equipment,
                router=router,
                transfers=self._transfers(site),
                record_from=config.recording.from_ if config.recording.enabled else None,
                habits=habits_of(config.recording),
            ),
            Certificates(config.stir, site.folder),
            self.visitors,
        )
        self.visitors.reconfigure(site)
        self.web_state.config = config
        self.web_state.flows = site.flows
        self.web_state.spend = site.spend
        self._say_what_is_loaded()
        self._speak_ahead()
        log.info("config re-read: %d flows, %d numbers", len(site.flows), len(config.numbers))
        if fixed:
            log.warning("changes in %s take effect after a restart", ", ".join(fixed))
        return ""

    def _say_what_is_loaded(self) -> None:
        """For ``pbx diff``; that it cannot be written keeps no call waiting."""
        try:
            snapshot.save(self.site)
        except OSError as problem:
            log.error("what is loaded cannot be told to pbx diff: %s", problem)

    async def stop(self) -> None:
        """Drain, then end everything."""
        self.stack.refuse_new(True)
        self.queues.callbacks.stop()
        limit_s = self.site.config.server.drain.total_seconds()
        if self.switchboard.calls:
            log.info("waiting up to %g s for %d calls", limit_s, self.switchboard.calls)
        await self.switchboard.drain(limit_s)
        await self._parts.aclose()
        log.info("stopped")


def speech_of(site: Site) -> Speech:
    """The synthesiser with the site's voices."""
    settings, language = site.config.speech, site.config.server.language
    voices = {each: Voice(name, settings.words_a_minute) for each, name in settings.voices.items()}
    own = voices.get(language) or voice_of(language, settings.words_a_minute)
    return Speech(site.data_dir / "prompts", voice=own, voices=voices)


def stack_config(site: Site) -> StackConfig:
    """The site's listening addresses, agents and trunks as the SIP stack takes them."""
    config = site.config
    accounts: dict[str, Account] = {}
    for name, agent in config.agents.items():
        if agent.password:
            account = Account(name, agent.password)
            accounts[name] = account
            if agent.extension:
                accounts[agent.extension] = account
    return StackConfig(
        listen=config.sip.every_listen,
        tls=_tls(site),
        realm=config.server.name,
        # Nonces are timed by a clock that begins anew with each process, and so must their secret.
        nonce_secret=secrets.token_bytes(32),
        accounts=accounts,
        trunks=tuple(
            Trunk(
                name=name,
                allow_from=tuple(trunk.allow_from),
                host=trunk.host,
                port=trunk.port,
                transport=None if trunk.transport == "auto" else trunk.transport,
                username=trunk.username,
                password=trunk.password,
                domain=trunk.domain,
                register=trunk.register_,
                expires_s=round(trunk.expires.total_seconds()),
                probe_s=trunk.probe.total_seconds() if trunk.probe else 0.0,
                priority=trunk.priority,
            )
            for name, trunk in config.trunks.items()
        ),
        external_address=config.sip.external_address,
        local_networks=tuple(config.sip.local_networks),
        limits=Limits(
            max_sessions=config.defence.max_calls,
            refusals_per_s=config.defence.answers_per_second,
            refusals_burst=max(1, round(5 * config.defence.answers_per_second)),
        ),
        bans=Rules(
            strikes=config.defence.strikes,
            first_s=config.defence.ban.total_seconds(),
            allow=tuple(config.defence.allow),
        ),
        # The same after a restart, so that a new registration takes the old one's place.
        instance=uuid.uuid5(uuid.NAMESPACE_DNS, f"{config.server.name}.{socket.gethostname()}").urn,
    )


def _tls(site: Site) -> Tls | None:
    tls, folder = site.config.sip.tls, site.folder
    if tls is None:
        return None

    def pair(of: SipKeyPair) -> KeyPair:
        return KeyPair(folder / of.certificate, folder / of.key)

    return Tls(
        own=pair(tls),
        names={name: pair(each) for name, each in tls.names.items()},
        authorities=folder / tls.authorities if tls.authorities else None,
        verify_clients=tls.verify_clients,
    )


__all__ = ["Server", "stack_config"]
