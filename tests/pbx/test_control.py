"""The server's ear for commands: who runs, what it answers, and what becomes of nonsense."""

import asyncio
import stat

import pytest

from pbx.control import NAME, NoServer, ask_server, serve_control


def test_a_question_and_its_answer_by_a_path_of_any_length(tmp_path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()

    async def main() -> None:
        stop = await serve_control(folder, {"double": lambda asked: {"is": 2 * asked["n"]}})
        assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600
        assert await asyncio.to_thread(ask_server, folder, "double", n=4) == {"is": 8}
        for nonsense in ("other", "double"):
            assert "not understood" in (await asyncio.to_thread(ask_server, folder, nonsense))["error"]
        await stop()

    asyncio.run(main())
    with pytest.raises(NoServer):
        ask_server(folder, "double", n=4)
    assert list(folder.iterdir()) == []


def test_a_socket_left_by_a_server_that_died_is_in_nobodys_way(tmp_path) -> None:
    async def main() -> None:
        (tmp_path / NAME).write_text("left over")
        stop = await serve_control(tmp_path, {"x": lambda asked: {}})
        assert await asyncio.to_thread(ask_server, tmp_path, "x") == {}
        await stop()

    asyncio.run(main())
