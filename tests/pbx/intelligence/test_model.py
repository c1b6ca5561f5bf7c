"""Finding the model, fetching a published one from a server of our own, and what is said if neither works."""

import hashlib
import io
import stat
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pbx.intelligence.model import ModelSpec, ModelUnavailable, fetch, find

NAME = "vosk-model-tiny-0.1"


def archive(*members):
    """A zip file of (name or ZipInfo, content)."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
    return content.getvalue()


GOOD = archive((f"{NAME}/", b""), (f"{NAME}/am/final.mdl", b"x" * 600_000), (f"{NAME}/README", b"hello"))


@contextmanager
def published(content, *, announced=None):
    """A web server on which ``content`` is the model's archive; yields its address and what it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.path != f"/models/{NAME}.zip":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(announced or len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/models", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_other_models(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VOSK_MODEL_PATH", raising=False)


@pytest.fixture
def spec(tmp_path):
    def make(name=NAME, at="http://127.0.0.1:9/models"):
        return ModelSpec(name, tmp_path, tmp_path / "data", at)

    return make


def put(folder):
    (folder / "am").mkdir(parents=True)
    (folder / "am" / "final.mdl").write_bytes(b"")
    return folder


def leftovers(spec):
    return [path.name for path in spec.store.iterdir()] if spec.store.exists() else []


class TestFind:
    def test_a_folder_relative_to_the_config(self, spec, tmp_path):
        put(tmp_path / "models" / "mine")
        assert find(spec("models/mine")) == tmp_path / "models" / "mine"

    def test_an_absolute_folder(self, spec, tmp_path):
        assert find(spec(str(put(tmp_path / "elsewhere")))) == tmp_path / "elsewhere"

    @pytest.mark.parametrize("place", ["data/models", "home/.cache/vosk"])
    def test_a_name_in_the_usual_places(self, spec, tmp_path, place):
        put(tmp_path / place / NAME)
        assert find(spec()) == tmp_path / place / NAME

    def test_a_name_where_vosk_is_told_to_look(self, spec, tmp_path, monkeypatch):
        monkeypatch.setenv("VOSK_MODEL_PATH", str(tmp_path / "shared"))
        put(tmp_path / "shared" / NAME)
        assert find(spec()) == tmp_path / "shared" / NAME

    def test_a_name_that_is_nowhere_is_to_be_fetched(self, spec):
        assert find(spec()) is None

    def test_a_path_that_is_nowhere_is_a_mistake(self, spec, tmp_path):
        with pytest.raises(ModelUnavailable, match=r"'models/mine', but there is no folder .*/models/mine;"):
            find(spec("models/mine"))

    def test_a_folder_with_something_else_in_it(self, spec, tmp_path):
        (tmp_path / "music").mkdir()
        with pytest.raises(ModelUnavailable, match=r"music is no Vosk model: it has no am/final\.mdl"):
            find(spec("music"))


class TestFetch:
    def test_it_is_found_afterwards_and_its_progress_told(self, spec):
        progress = []
        with published(GOOD) as (at, asked):
            folder = fetch(spec(at=at), on_progress=lambda done, total: progress.append((done, total)))
        assert asked == [f"/models/{NAME}.zip"]
        assert folder == find(spec()) == spec().store / NAME
        assert (folder / "am" / "final.mdl").stat().st_size == 600_000
        assert progress[-1] == (len(GOOD), len(GOOD))
        assert leftovers(spec()) == [NAME]

    def test_who_comes_second_takes_what_is_there(self, spec, tmp_path):
        put(spec().store / NAME)
        with published(GOOD) as (at, _):
            fetch(spec(at=at))
        assert (spec().store / NAME / "am" / "final.mdl").stat().st_size == 0

    def test_a_checksum_is_held_to(self, spec):
        with published(GOOD) as (at, _):
            with pytest.raises(ModelUnavailable, match="expected 00ff"):
                fetch(spec(at=at), sha256="00ff")
            assert leftovers(spec()) == []
            fetch(spec(at=at), sha256=hashlib.sha256(GOOD).hexdigest())

    def test_without_internet_it_says_what_to_do(self, spec):
        with pytest.raises(ModelUnavailable) as told:
            fetch(spec())
        said = str(told.value)
        assert f"http://127.0.0.1:9/models/{NAME}.zip cannot be reached" in said
        assert f"download http://127.0.0.1:9/models/{NAME}.zip where there is internet" in said
        assert f"{spec().store / NAME}/am/final.mdl exists" in said
        assert leftovers(spec()) == []

    def test_a_name_that_is_not_published(self, spec):
        with (
            published(GOOD) as (at, _),
            pytest.raises(ModelUnavailable, match=r"answered 404 \(is the name right\?\)"),
        ):
            fetch(spec("vosk-model-tiny-0.2", at=at))

    def test_a_connection_that_breaks_off(self, spec):
        with (
            published(GOOD, announced=len(GOOD) + 1) as (at, _),
            pytest.raises(ModelUnavailable, match=f"{len(GOOD)} bytes came, {len(GOOD) + 1} were announced"),
        ):
            fetch(spec(at=at))
        assert leftovers(spec()) == []

    def test_it_can_be_stopped(self, spec):
        stop = threading.Event()
        stop.set()
        with published(GOOD) as (at, _), pytest.raises(ModelUnavailable, match="the download was stopped"):
            fetch(spec(at=at), stop=stop)

    def test_a_data_directory_that_cannot_be_written(self, spec, tmp_path):
        (tmp_path / "data").write_text("a file")
        with pytest.raises(ModelUnavailable, match=r"cannot be kept in .*data/models: Not a directory"):
            fetch(spec())


def link(name, target):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, target


MODEL_FILE = (f"{NAME}/am/final.mdl", b"")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>log in to the hotel's network</html>", "not a zip file"),
        (GOOD[:-100], "not a zip file"),
        (archive(MODEL_FILE, ("../evil", b"x")), "'../evil' in it does not belong"),
        (archive(MODEL_FILE, (f"{NAME}/../../evil", b"x")), "does not belong"),
        (archive(MODEL_FILE, (f"{NAME}\\..\\..\\evil", b"x")), "does not belong"),
        (archive(MODEL_FILE, ("/evil", b"x")), "does not belong"),
        (archive(MODEL_FILE, ("other/evil", b"x")), "does not belong"),
        (archive(MODEL_FILE, link(f"{NAME}/evil", "/etc/passwd")), "does not belong"),
        (archive((f"{NAME}/README", b"")), f"it holds no {NAME}/am/final.mdl"),
        (GOOD[:200] + b"?" * 100 + GOOD[300:], "incorrect|invalid|Error|Bad"),
        (archive(), f"it holds no {NAME}/am/final.mdl"),
    ],
)
def test_archives_that_are_not_to_be_trusted(spec, tmp_path, content, says):
    with published(content) as (at, _), pytest.raises(ModelUnavailable, match=f"no usable model: .*{says}"):
        fetch(spec(at=at))
    assert leftovers(spec()) == []
    assert not list(tmp_path.rglob("*evil*"))
