"""Where the Vosk model is, and how a published one gets there.

``transcription.model`` is a folder (absolute, or relative to the config file) or the name of a model that
https://alphacephei.com/vosk/models publishes. A name is looked for in the data directory's ``models``
and in the places where Vosk itself keeps models; if it is in none, it is fetched once.

A fetched archive is unpacked beside its place and renamed into it, so a folder that exists is
whole. What it holds is trusted no further than that: every member must lie within the model's own
folder, be a plain file, and all together must not fill the disk.
"""

import hashlib
import http.client
import os
import re
import shutil
import stat
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

PUBLISHED_AT = "https://alphacephei.com/vosk/models"
TIMEOUT_S = 15.0
LARGEST_BYTES = 8 << 30
_BLOCK = 256 << 10
# What zipfile raises of an archive that is damaged, encrypted or packed in a way it does not know.
_BAD_ARCHIVE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError)
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")

OnProgress = Callable[[int, int | None], None]
"""Called with the bytes fetched so far and, where the server says, of how many."""


class ModelUnavailable(Exception):  # noqa: N818 - the state that transcripts report
    """There is no model to use; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """``transcription.model`` with the folders it is read against."""

    model: str
    config_folder: Path
    data_dir: Path
    published_at: str

    @property
    def folder(self) -> Path:
        """What the setting means as a folder."""
        return self.config_folder / Path(self.model).expanduser()

    @property
    def store(self) -> Path:
        """Where fetched models are kept."""
        return self.data_dir / "models"

    @property
    def is_name(self) -> bool:
        return _NAME.fullmatch(self.model) is not None

    @property
    def url(self) -> str:
        return f"{self.published_at}/{self.model}.zip"


def find(spec: ModelSpec) -> Path | None:
    """The model's folder if it is on this machine. Raises ModelUnavailable if the setting can never do."""
    if spec.folder.is_dir():
        return _checked(spec.folder)
    if not spec.is_name:
        raise ModelUnavailable(
            f"transcription.model is {spec.model!r}, but there is no folder {spec.folder}; "
            f"name a folder, or a model that {spec.published_at} publishes"
        )
    folders = (place / spec.model for place in (spec.store, *_vosk_places()))
    found = next((folder for folder in folders if folder.is_dir()), None)
    return _checked(found) if found else None


def _vosk_places() -> list[Path]:
    named = os.environ.get("VOSK_MODEL_PATH")
    return [*([Path(named)] if named else []), Path.home() / ".cache" / "vosk", Path("/usr/share/vosk")]


def _checked(folder: Path) -> Path:
    # Old models keep everything in one folder, new ones have am/, conf/ and graph/.
    if not any((folder / name).is_file() for name in ("am/final.mdl", "final.mdl")):
        raise ModelUnavailable(f"{folder} is no Vosk model: it has no am/final.mdl")
    return folder


def fetch(
    spec: ModelSpec,
    *,
    on_progress: OnProgress = lambda done, total: None,
    stop: threading.Event | None = None,
    sha256: str | None = None,
) -> Path:
    """Download and unpack the published model; blocks. Raises ModelUnavailable that says what to do.

    ``stop`` ends it early, from another thread.
    """
    try:
        spec.store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetching-", dir=spec.store) as scratch:
            archive = Path(scratch) / "model.zip"
            _download(spec.url, archive, on_progress, stop or threading.Event(), sha256)
            unpacked = _unpack(archive, Path(scratch) / "unpacked", spec.model)
            return _move_into_place(unpacked, spec.store / spec.model)
    except urllib.error.HTTPError as error:
        unknown = " (is the name right?)" if error.code == 404 else ""
        raise ModelUnavailable(f"{spec.url} answered {error.code}{unknown}; {_by_hand(spec)}") from None
    except (urllib.error.URLError, TimeoutError, ConnectionError, http.client.HTTPException) as error:
        why = getattr(error, "reason", None) or error
        raise ModelUnavailable(f"{spec.url} cannot be reached ({why}); {_by_hand(spec)}") from None
    except (_Unusable, *_BAD_ARCHIVE) as error:
        raise ModelUnavailable(f"{spec.url} gave no usable model: {error}; {_by_hand(spec)}") from None
    except OSError as error:
        raise ModelUnavailable(
            f"{spec.model} cannot be kept in {spec.store}: {error.strerror or error}"
        ) from error


def _by_hand(spec: ModelSpec) -> str:
    return (
        f"to do it by hand, download {spec.url} where there is internet, unpack it so that "
        f"{spec.store / spec.model}/am/final.mdl exists, and run pbx transcribe for the calls until then"
    )


class _Unusable(Exception):  # noqa: N818 - what is wrong with what was fetched
    pass


def _download(
    url: str, into: Path, on_progress: OnProgress, stop: threading.Event, sha256: str | None
) -> None:
    digest = hashlib.sha256()
    done = 0
    with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response, into.open("wb") as file:
        stated = response.headers.get("Content-Length")
        total = int(stated) if stated else None
        while block := response.read(_BLOCK):
            if stop.is_set():
                raise _Unusable("the download was stopped")
            done += len(block)
            if done > LARGEST_BYTES:
                raise _Unusable(f"more than {LARGEST_BYTES} bytes")
            digest.update(block)
            file.write(block)
            on_progress(done, total)
    if total is not None and done != total:
        raise _Unusable(f"{done} bytes came, {total} were announced")
    if sha256 is not None and digest.hexdigest() != sha256.lower():
        raise _Unusable(f"its SHA-256 is {digest.hexdigest()}, expected {sha256}")


def _unpack(archive: Path, into: Path, name: str) -> Path:
    with zipfile.ZipFile(archive) as packed:
        members = packed.infolist()
        size = sum(member.file_size for member in members)
        if size > LARGEST_BYTES:
            raise _Unusable(f"{size} bytes unpacked, at most {LARGEST_BYTES} are taken")
        for member in members:
            target = into.joinpath(*_safe_parts(member, name))
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with packed.open(member) as source, target.open("wb") as file:
                _copy(source, file, member.file_size)
    model = into / name
    try:
        return _checked(model)
    except ModelUnavailable:
        raise _Unusable(f"it holds no {name}/am/final.mdl") from None


def _safe_parts(member: zipfile.ZipInfo, name: str) -> tuple[str, ...]:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)  # 0: made on a system that has no such kinds
    plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
    if path.is_absolute() or ".." in path.parts or not path.parts or path.parts[0] != name or not plain:
        raise _Unusable(f"{member.filename!r} in it does not belong into a folder {name}")
    return path.parts


def _copy(source: IO[bytes], file: IO[bytes], size: int) -> None:
    """What the archive's directory announced, and no more."""
    left = size
    while block := source.read(_BLOCK):
        left -= len(block)
        if left < 0:
            raise _Unusable("a file in it is longer than announced")
        file.write(block)


def _move_into_place(unpacked: Path, place: Path) -> Path:
    try:
        unpacked.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was quicker, with the same
            raise
        shutil.rmtree(unpacked)
    return place
