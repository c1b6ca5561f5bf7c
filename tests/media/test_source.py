"""WAV files of any making come out as 8 kHz mono, the cache keeps its bound, tones are what they say."""

import struct
import wave

import numpy as np
import pytest

from media.engine import Codec, FileSource, Tone
from media.g711 import encode
from media.source import SourceCache
from media.tones import tone
from media.wav import NotAWav, read_wav, write_wav

AMPLITUDE = 0.5


def sine(rate_hz, *, hz=1000.0, seconds=0.5):
    return AMPLITUDE * np.sin(2 * np.pi * hz * np.arange(round(rate_hz * seconds)) / rate_hz)


def riff(*chunks):
    body = b"WAVE"
    for name, content in chunks:
        body += name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def form(encoding, channels, rate_hz, bits, extra=b""):
    octets = channels * bits // 8
    return struct.pack("<HHIIHH", encoding, channels, rate_hz, rate_hz * octets, octets, bits) + extra


def pcm(signal, bits):
    if bits == 8:
        return (signal * 127 + 128).round().astype(np.uint8).tobytes()
    if bits == 24:
        wide = (signal * ((1 << 23) - 1)).round().astype("<i4")
        return wide.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return (signal * ((1 << bits - 1) - 1)).round().astype(f"<i{bits // 8}").tobytes()


def looks_like_a_1_khz_sine(samples, *, within=0.01):
    assert samples.dtype == np.int16
    assert len(samples) == pytest.approx(4000, abs=2)
    middle = samples[400:3600].astype(float)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert spectrum.argmax() * 8000 / len(middle) == pytest.approx(1000, abs=3)
    assert np.sqrt(np.mean(middle**2) * 2) / 32768 == pytest.approx(AMPLITUDE, rel=within)


@pytest.fixture
def file(tmp_path):
    def make(content):
        path = tmp_path / "prompt.wav"
        path.write_bytes(content)
        return path

    return make


class TestWav:
    @pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
    @pytest.mark.parametrize("channels", [1, 2])
    def test_any_rate_mono_or_stereo(self, tmp_path, rate_hz, channels):
        path = tmp_path / "x.wav"
        with wave.open(str(path), "wb") as out:
            out.setparams((channels, 2, rate_hz, 0, "NONE", ""))
            out.writeframes(pcm(np.repeat(sine(rate_hz), channels), 16))
        looks_like_a_1_khz_sine(read_wav(path))

    @pytest.mark.parametrize("bits", [8, 16, 24, 32])
    def test_any_width(self, file, bits):
        looks_like_a_1_khz_sine(
            read_wav(file(riff((b"fmt ", form(1, 1, 8000, bits)), (b"data", pcm(sine(8000), bits)))))
        )

    @pytest.mark.parametrize("bits", [32, 64])
    def test_float(self, file, bits):
        data = sine(16000).astype(f"<f{bits // 8}").tobytes()
        looks_like_a_1_khz_sine(read_wav(file(riff((b"fmt ", form(3, 1, 16000, bits)), (b"data", data)))))

    @pytest.mark.parametrize(("encoding", "codec"), [(6, Codec.PCMA), (7, Codec.PCMU)])
    def test_g711(self, file, encoding, codec):
        data = encode(codec, (sine(8000) * 32767).astype(np.int16)).tobytes()
        path = file(riff((b"fmt ", form(encoding, 1, 8000, 8)), (b"data", data)))
        looks_like_a_1_khz_sine(read_wav(path), within=0.02)

    def test_extensible_with_other_chunks_around(self, file):
        extension = struct.pack("<HHIH14s", 22, 24, 4, 1, b"\0" * 14)
        path = file(
            riff(
                (b"LIST", b"odd"),
                (b"fmt ", form(0xFFFE, 1, 8000, 24, extension)),
                (b"data", pcm(sine(8000), 24)),
                (b"id3 ", b"xxxx"),
            )
        )
        looks_like_a_1_khz_sine(read_wav(path))

    def test_stereo_is_mixed_to_the_mean(self, file):
        moments = np.array([[0.5, 0.25], [0.5, -0.5]])
        path = file(riff((b"fmt ", form(1, 2, 8000, 16)), (b"data", pcm(moments.ravel(), 16))))
        assert read_wav(path).tolist() == [12288, 0]

    @pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 9000])
    def test_a_length_never_filled_in_or_cut_short_reads_as_far_as_it_goes(self, file, length):
        whole = riff((b"fmt ", form(1, 1, 8000, 16)), (b"data", pcm(sine(8000), 16)))
        path = file(whole[:40] + struct.pack("<I", length) + whole[44:] + b"\x01")
        looks_like_a_1_khz_sine(read_wav(path)[:4000])

    def test_full_scale_does_not_wrap(self, file):
        data = np.array([1.0, -1.0, 2.0, np.nan], "<f4").tobytes()
        path = file(riff((b"fmt ", form(3, 1, 8000, 32)), (b"data", data)))
        assert read_wav(path).tolist() == [32767, -32768, 32767, 0]

    def test_what_is_written_is_read(self, tmp_path):
        samples = np.arange(-1000, 1000, dtype=np.int16)
        write_wav(tmp_path / "x.wav", samples)
        assert (read_wav(tmp_path / "x.wav") == samples).all()
        with wave.open(str(tmp_path / "x.wav")) as standard:
            assert standard.getparams()[:4] == (1, 2, 8000, 2000)

    def test_no_audio_at_all_is_no_samples(self, file):
        assert read_wav(file(riff((b"fmt ", form(1, 1, 44100, 16)), (b"data", b"")))).size == 0

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"ID3\x04\x00\x00 an mp3 file", r"no WAV file \(it begins b'ID3"),
            (b"", r"no WAV file \(it begins b''\)"),
            (b"RIFF\0\0\0\0AVI ", "no WAV file"),
            (riff(), "it says no format"),
            (riff((b"fmt ", b"\1\0")), "format chunk of 2 bytes, 16 needed"),
            (riff((b"fmt ", form(1, 1, 8000, 16))), "holds no audio data"),
            (riff((b"data", b"\0\0")), "data comes before its format"),
            (riff((b"fmt ", form(1, 0, 8000, 16)), (b"data", b"")), "0 channels, 1 to 32"),
            (riff((b"fmt ", form(1, 1, 0, 16)), (b"data", b"")), "sample rate 0 Hz, 1000 to 384000"),
            (riff((b"fmt ", form(1, 1, 8000, 12)), (b"data", b"")), "encoding 1 with 12 bits; PCM of 8"),
            (riff((b"fmt ", form(0x55, 1, 8000, 0)), (b"data", b"")), "encoding 85 with 0 bits"),
        ],
    )
    def test_what_is_wrong_is_said(self, file, content, says):
        with pytest.raises(NotAWav, match=rf"prompt\.wav: .*{says}"):
            read_wav(file(content))


class TestCache:
    @staticmethod
    def prompt(tmp_path, name, samples=1000):
        write_wav(tmp_path / name, np.full(samples, 7, np.int16))
        return FileSource(tmp_path / name)

    def test_a_file_is_read_once(self, tmp_path):
        cache, prompt = SourceCache(), self.prompt(tmp_path, "a.wav")
        assert cache.load(prompt) is cache.load(prompt)

    def test_a_changed_file_is_read_again(self, tmp_path):
        cache = SourceCache()
        assert len(cache.load(self.prompt(tmp_path, "a.wav", 1000))) == 1000
        assert len(cache.load(self.prompt(tmp_path, "a.wav", 500))) == 500

    def test_the_least_recently_played_is_forgotten(self, tmp_path):
        cache = SourceCache(max_bytes=4000)
        a, b, c = (self.prompt(tmp_path, f"{name}.wav") for name in "abc")
        first_a, first_b = cache.load(a), cache.load(b)
        cache.load(a)
        cache.load(c)
        assert cache.load(a) is first_a
        assert cache.load(b) is not first_b

    def test_what_is_larger_than_the_cache_is_played_but_not_kept(self, tmp_path):
        cache, prompt = SourceCache(max_bytes=100), self.prompt(tmp_path, "a.wav")
        assert cache.load(prompt) is not cache.load(prompt)

    def test_samples_are_read_only(self, tmp_path):
        with pytest.raises(ValueError, match="read-only"):
            SourceCache().load(self.prompt(tmp_path, "a.wav"))[0] = 1

    def test_a_missing_file_is_an_os_error(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"gone\.wav"):
            SourceCache().load(FileSource(tmp_path / "gone.wav"))


class TestTones:
    @staticmethod
    def strongest_hz(samples, count):
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
        found = []
        for _ in range(count):
            place = int(spectrum.argmax())
            found.append(round(place * 8000 / len(samples), -1))
            spectrum[max(0, place - 5) : place + 6] = 0
        return sorted(found)

    @pytest.mark.parametrize(
        ("which", "hz", "on_s", "whole_s"),
        [
            (Tone.RINGBACK, [440, 480], 2.0, 6.0),
            (Tone.BUSY, [480, 620], 0.5, 1.0),
            (Tone.BEEP, [1000], 0.4, 0.4),
        ],
    )
    def test_call_progress(self, which, hz, on_s, whole_s):
        samples = SourceCache().load(which)
        on = round(on_s * 8000)
        assert len(samples) == whole_s * 8000
        assert self.strongest_hz(samples[:on], len(hz)) == hz
        assert not samples[on:].any()

    def test_music_loops_without_a_seam(self):
        steps = np.abs(np.diff(tone(Tone.MUSIC).astype(int)))
        seam = abs(int(tone(Tone.MUSIC)[0]) - int(tone(Tone.MUSIC)[-1]))
        assert seam < np.percentile(steps, 99)

    def test_music_is_long_steady_and_not_loud(self):
        samples = tone(Tone.MUSIC).astype(float)
        seconds = samples[: len(samples) // 8000 * 8000].reshape(-1, 8000)
        level_db = 10 * np.log10((seconds**2).mean(axis=1) / 32768**2)
        assert len(seconds) >= 30
        assert -35 < level_db.min() < level_db.max() < -18
        assert np.abs(samples).max() < 0.5 * 32768

    def test_music_survives_a_telephone(self):
        power = np.abs(np.fft.rfft(tone(Tone.MUSIC).astype(float))) ** 2
        hz = np.fft.rfftfreq(len(tone(Tone.MUSIC)), 1 / 8000)
        assert power[(hz > 300) & (hz < 3400)].sum() / power.sum() > 0.6
