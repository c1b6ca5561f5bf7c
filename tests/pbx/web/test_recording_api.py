"""/recording: whole, in part, and while it grows (RFC 9110 §14)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.web.recording import Unsatisfiable, read_range

SIZE = 44 + 256 * 125


def test_the_whole_file(shared):
    answer = shared.get("/api/calls/c0/recording")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/wav")
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.content == (shared.data_dir / "recordings/c0.wav").read_bytes()
    assert len(answer.content) == SIZE


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-43", 0, 43),
        ("bytes=44-", 44, SIZE - 1),
        ("bytes=-100", SIZE - 100, SIZE - 1),
        (f"bytes=-{SIZE * 9}", 0, SIZE - 1),
        (f"bytes=10-{SIZE * 9}", 10, SIZE - 1),
        ("bytes=0-0", 0, 0),
    ],
)
def test_a_part(shared, header, first, last):
    whole = (shared.data_dir / "recordings/c0.wav").read_bytes()
    answer = shared.get("/api/calls/c0/recording", headers={"range": header})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
    assert answer.headers["content-length"] == str(last - first + 1)
    assert answer.content == whole[first : last + 1]


@pytest.mark.parametrize("header", [f"bytes={SIZE}-", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_a_part_outside(shared, header):
    answer = shared.get("/api/calls/c0/recording", headers={"range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{SIZE}"


@pytest.mark.parametrize(
    "header", ["bytes=5-2", "bytes=0-1,5-6", "lines=0-1", "bytes=", "bytes=-", "nonsense"]
)
def test_what_is_no_single_range_is_ignored(shared, header):
    assert shared.get("/api/calls/c0/recording", headers={"range": header}).status_code == 200


def test_head_says_what_get_would(shared):
    answer = shared.ask("HEAD", "/api/calls/c0/recording", headers={"range": "bytes=-100"})
    assert (answer.status_code, answer.content) == (206, b"")
    assert answer.headers["content-length"] == "100"


def test_if_range_of_another_version_gets_the_whole(shared):
    old = {"range": "bytes=0-1", "if-range": "Mon, 01 Jan 2024 00:00:00 GMT"}
    assert shared.get("/api/calls/c0/recording", headers=old).status_code == 200
    modified = shared.get("/api/calls/c0/recording").headers["last-modified"]
    same = {"range": "bytes=0-1", "if-range": modified}
    assert shared.get("/api/calls/c0/recording", headers=same).status_code == 206


def test_a_growing_file_is_served_as_far_as_it_is(site):
    path = site.data_dir / "recordings/c0.wav"
    with path.open("ab") as file:
        file.write(b"more")
    answer = site.get("/api/calls/c0/recording", headers={"range": "bytes=-4"})
    assert answer.content == b"more"
    assert answer.headers["content-range"].endswith(f"/{SIZE + 4}")


@pytest.mark.parametrize("call", ["gone", "c1", "none"])
def test_no_recording_is_404(shared, call):
    assert shared.get(f"/api/calls/{call}/recording").status_code == 404


@given(
    st.integers(0, 300), st.one_of(st.none(), st.integers(0, 400)), st.one_of(st.none(), st.integers(0, 400))
)
def test_a_range_is_the_bytes_a_slice_would_be(size, first, last):
    data = bytes(index % 251 for index in range(size))
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    try:
        part = read_range(header, size)
    except Unsatisfiable:
        assert first is None or first >= size
        return
    if part is None:
        assert (first is None and last is None) or (first is not None and last is not None and last < first)
        return
    start, end = part
    if first is None:
        assert data[start : end + 1] == data[-last:]
    else:
        stop = size if last is None else last + 1
        assert data[start : end + 1] == data[first:stop]
