"""/api/live: every client hears what happens, and none can hold the server up."""

import asyncio
import json
import socket

import httpx
import uvicorn

from pbx.events import EventBus
from pbx.web import live
from pbx.web.live import Feed
from tests.support.made_calls import started


def parse(message):
    return dict(line.split(": ", 1) for line in message.strip().split("\n"))


async def take(stream, count):
    async with asyncio.timeout(5):
        return [parse(await anext(stream)) for _ in range(count)]


def scenario(test, heartbeat_s=60.0):
    async def run():
        bus = EventBus()
        feed = Feed(bus, heartbeat_s)
        try:
            await test(bus, feed)
        finally:
            feed.close()

    asyncio.run(run())


async def opened(feed, last_id=""):
    stream = feed.stream(last_id)
    assert "retry: 2000" in await anext(stream)
    return stream


def test_events_arrive_as_they_happen():
    async def test(bus, feed):
        stream = await opened(feed)
        bus.publish(started("c1"))
        (message,) = await take(stream, 1)
        assert message["event"] == "call.started"
        data = json.loads(message["data"])
        assert (data["call_id"], data["from"], data["kind"]) == ("c1", "+12125550999", "call.started")
        await stream.aclose()
        assert feed.clients == 0

    scenario(test)


def test_a_client_that_comes_back_hears_what_it_missed():
    async def test(bus, feed):
        stream = await opened(feed)
        bus.publish(started("c1"))
        (first,) = await take(stream, 1)
        await stream.aclose()
        bus.publish(started("c2"))
        bus.publish(started("c3"))
        again = await opened(feed, first["id"])
        assert [json.loads(each["data"])["call_id"] for each in await take(again, 2)] == ["c2", "c3"]
        for strange in ("", "0", "other-1", f"{first['id']}x", "-", "9" * 100):
            fresh = await opened(feed, strange)
            bus.publish(started("c4"))
            assert json.loads((await take(fresh, 1))[0]["data"])["call_id"] == "c4"
            await fresh.aclose()
        await again.aclose()

    scenario(test)


def test_a_client_that_does_not_read_is_dropped():
    async def test(bus, feed):
        stream = await opened(feed)
        for number in range(live.BEHIND + 1):
            bus.publish(started(f"c{number}"))
        assert feed.clients == 0
        assert [message async for message in stream] == []

    scenario(test)


def test_a_quiet_stream_beats():
    async def test(_bus, feed):
        stream = await opened(feed)
        async with asyncio.timeout(5):
            assert await anext(stream) == ": still here\n\n"
        await stream.aclose()

    scenario(test, heartbeat_s=0.01)


def test_closing_the_feed_ends_every_stream():
    async def test(_bus, feed):
        stream = await opened(feed)
        feed.close()
        assert [message async for message in stream] == []

    scenario(test)


def test_over_http_a_browser_hears_and_leaves(site):
    """Through the real server: the guard lets the token in, events come at once, a leaver is forgotten."""

    async def run():
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(site.app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        headers = {"authorization": f"Bearer {site.tokens['agent']}"}
        feed = site.app.state.feed
        try:
            async with asyncio.timeout(10), httpx.AsyncClient(base_url=address, headers=headers) as http:
                async with http.stream("GET", "/api/live") as answer:
                    assert answer.headers["content-type"].startswith("text/event-stream")
                    lines = answer.aiter_lines()
                    assert await anext(lines) == "retry: 2000"
                    site.bus.publish(started("c9"))
                    async for line in lines:
                        if line.startswith("data: "):
                            break
                    assert json.loads(line.removeprefix("data: "))["call_id"] == "c9"
                while feed.clients:
                    await asyncio.sleep(0.01)
        finally:
            feed.close()
            server.should_exit = True
            await serving

    asyncio.run(run())
