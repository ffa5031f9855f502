"""The front door, and Spleeter written down at once over whole arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_separator import cut, make_card, make_model, make_net, noise

import rtsep
from rtsep.errors import ModelError, UsageError
from rtsep.nets.unet import SeparationNet
from rtsep.zoo import ModelCard, load_network

FOUR = ("vocals", "drums", "bass", "other")


def spleeter(card: ModelCard, net: SeparationNet, mixture: np.ndarray) -> np.ndarray:
    """Spleeter over a whole recording in double precision: ``(stems, 2, samples)``."""
    frame, hop, n_samples = card.frame_samples, card.hop_samples, mixture.shape[1]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    n_frames = -(-(n_samples + frame) // hop)
    padded = np.pad(mixture.astype(float), ((0, 0), (frame, frame)))
    starts = hop * np.arange(n_frames)
    padded = np.pad(padded, ((0, 0), (0, max(0, starts[-1] + frame - padded.shape[1]))))
    spectrum = np.stack([np.fft.rfft(padded[:, s : s + frame] * window) for s in starts], axis=1)
    magnitude = np.abs(spectrum)[..., : card.n_bins]
    n_segments = -(-n_frames // card.n_frames)
    filled = np.pad(magnitude, ((0, 0), (0, n_segments * card.n_frames - n_frames), (0, 0)))
    segments = filled.reshape(2, n_segments, card.n_frames, -1).swapaxes(0, 1)
    with torch.no_grad():
        said = net(torch.from_numpy(segments.astype(np.float32))).double().numpy()
    said = said.swapaxes(1, 2).reshape(len(said), 2, n_segments * card.n_frames, -1)[:, :, :n_frames]
    power = (said * magnitude) ** card.exponent
    masks = (power + 1e-10 / len(power)) / (power.sum(axis=0) + 1e-10)
    above = masks.mean(axis=-1, keepdims=True) * (card.extension == "average")
    masks = np.concatenate((masks, np.repeat(above, frame // 2 + 1 - card.n_bins, axis=-1)), axis=-1)
    frames = np.fft.irfft(masks * spectrum) * window * (2 / 3)
    out = np.zeros((len(said), 2, starts[-1] + frame))
    for k, start in enumerate(starts):
        out[:, :, start : start + frame] += frames[:, :, k]
    return out[:, :, frame : frame + n_samples]


@pytest.mark.parametrize("n_samples", [1, 5000, 64 * 64 - 256, 64 * 64 * 2 + 1])
@pytest.mark.parametrize("card", [make_card(("vocals", "rest")), make_card(FOUR, extension="average")])
def test_separating_is_spleeter(tmp_path: Path, card: ModelCard, n_samples: int) -> None:
    model = make_model(tmp_path / "tiny", card)
    mixture = noise(n_samples)
    stems = rtsep.load(model, device="cpu").separate(mixture, 44100)
    assert tuple(stems) == card.stems
    got = np.stack(list(stems.values()))
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, spleeter(card, load_network(model), mixture), rtol=0, atol=1e-5)


def test_a_stream_on_offlines_grid_is_offline(tmp_path: Path) -> None:
    card = make_card(FOUR, extension="average")
    separator = rtsep.load(make_model(tmp_path / "tiny", card), device="cpu")
    mixture = noise(15_000)
    stream = separator.stream(44100, context_frames=64, update_hops=64)
    parts = [stream.process(part) for part in cut(mixture, 0)]
    streamed = np.concatenate([*parts, stream.flush()], axis=2)[:, :, stream.latency_samples :]
    np.testing.assert_allclose(
        streamed, np.stack(list(separator.separate(mixture, 44100).values())), atol=1e-5
    )


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A two-stem model whose second network is not a number anywhere: where it runs, it shows."""
    card = make_card(("vocals", "accompaniment"))
    net = make_net(card)
    with torch.no_grad():
        for parameter in net.unets["accompaniment"].parameters():
            parameter.fill_(torch.nan)
    make_model(tmp_path / "tiny", card, net)
    return tmp_path / "tiny"


def test_direct_masks_run_the_vocals_only_and_the_rest_is_what_is_left(tiny: Path) -> None:
    separator = rtsep.load(tiny, device="cpu", mask="direct", extension="average")
    mixture = noise(9000)
    stems = separator.separate(mixture, 44100)
    assert np.abs(stems["vocals"]).max() > 0.1
    np.testing.assert_allclose(stems["vocals"] + stems["accompaniment"], mixture, rtol=0, atol=1e-6)
    ratio = rtsep.load(tiny, device="cpu").separate(mixture, 44100)
    assert np.isnan(ratio["vocals"]).any()


def test_direct_masks_without_extension_leave_both_stems_silent_above_the_top_bin(tiny: Path) -> None:
    separator = rtsep.load(tiny, device="cpu", mask="direct", extension="zeros")
    seconds = np.arange(9000) / 44100
    low, high = (np.tile(0.2 * np.sin(2 * np.pi * f * seconds), (2, 1)) for f in (1000, 18_000))
    stems = separator.separate((low + high).astype(np.float32), 44100)
    total = stems["vocals"] + stems["accompaniment"]
    np.testing.assert_allclose(total[:, 500:-500], low[:, 500:-500], atol=1e-3)


def test_stems_come_in_the_order_in_which_they_were_asked_for(tmp_path: Path) -> None:
    model = make_model(tmp_path / "tiny", make_card(FOUR))
    every = rtsep.load(model, device="cpu").separate(noise(3000), 44100)
    some = rtsep.load(model, device="cpu", stems=("bass", "vocals")).separate(noise(3000), 44100)
    assert tuple(some) == ("bass", "vocals")
    for name, samples in some.items():
        np.testing.assert_array_equal(samples, every[name])


def test_mono_is_doubled(tiny: Path) -> None:
    separator = rtsep.load(tiny, device="cpu", mask="direct")
    mono = noise(3000)[:1]
    got, expected = (separator.separate(m, 44100)["vocals"] for m in (mono, np.repeat(mono, 2, axis=0)))
    np.testing.assert_array_equal(got, expected)


def test_at_another_rate_stems_are_as_long_as_the_mixture_and_in_time(tiny: Path) -> None:
    separator = rtsep.load(tiny, device="cpu", mask="direct", extension="average")
    seconds = np.arange(20_001) / 48000
    tone = 0.4 * np.sin(2 * np.pi * 700 * seconds) * np.sin(np.pi * seconds / seconds[-1]) ** 2
    mixture = np.tile(tone.astype(np.float32), (2, 1))
    stems = separator.separate(mixture, 48000)
    np.testing.assert_allclose(stems["vocals"] + stems["accompaniment"], mixture, atol=1e-4)


@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_nothing_gives_nothing(tiny: Path, rate_hz: int) -> None:
    stems = rtsep.load(tiny, device="cpu", mask="direct").separate(np.zeros((2, 0), np.float32), rate_hz)
    assert {name: samples.shape for name, samples in stems.items()} == {
        "vocals": (2, 0),
        "accompaniment": (2, 0),
    }


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (np.zeros((1000, 2), np.float32), r"shape \(1000, 2\).*transpose it"),
        (np.zeros((2, 1000), np.int16), "array of int16.*must be of floats"),
        (np.zeros(1000, np.float32), r"shape \(1000,\).*must be of floats, shape \(channels, samples\)"),
        (np.zeros((3, 1000), np.float32), "has 3 channels; it must have one or two"),
    ],
)
def test_a_stream_refuses_what_separate_refuses_and_goes_on(
    tiny: Path, block: np.ndarray, message: str
) -> None:
    separator, mixture = rtsep.load(tiny, device="cpu", mask="direct"), noise(9000)
    stream, other = separator.stream(44100), separator.stream(44100)
    with pytest.raises(UsageError, match=message):
        stream.process(block)
    np.testing.assert_array_equal(stream.process(mixture), other.process(mixture))


@pytest.mark.parametrize("rate_hz", [44100, 48000])
def test_a_stream_doubles_mono_and_ends_once(tiny: Path, rate_hz: int) -> None:
    stream = rtsep.load(tiny, device="cpu", mask="direct").stream(rate_hz, update_hops=2)
    mono = noise(9000)[:1].astype(np.float64)
    expected = [stream.process(np.repeat(mono, 2, axis=0)), stream.flush()]
    for again in (stream.flush, lambda: stream.process(mono)):
        with pytest.raises(UsageError, match=r"was flushed, which ends its input; call reset\(\)"):
            again()
    stream.reset()
    np.testing.assert_array_equal(stream.process(mono), expected[0])
    np.testing.assert_array_equal(stream.flush(), expected[1])
    stream.prepare()
    assert stream.process(mono).shape == (2, 2, 9000)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_counts_as_silence(tiny: Path, value: float) -> None:
    separator = rtsep.load(tiny, device="cpu", mask="direct")
    spoilt, silent = noise(9000).astype(np.float64), noise(9000)
    spoilt[0, 4000], silent[0, 4000] = value, 0
    got, expected = (separator.separate(mixture, 44100) for mixture in (spoilt, silent))
    for name, samples in expected.items():
        np.testing.assert_array_equal(got[name], samples)
    streams = [separator.stream(44100) for _ in range(2)]
    np.testing.assert_array_equal(streams[0].process(spoilt), streams[1].process(silent))
    assert not np.isfinite(spoilt[0, 4000]) or value == 1e300, "the caller's array is left alone"


@pytest.mark.parametrize(
    ("mixture", "message"),
    [
        (np.zeros((1000, 2), np.float32), r"shape \(1000, 2\).*transpose it"),
        (np.zeros((1000, 1), np.float32), r"shape \(1000, 1\).*transpose it"),
        (np.zeros((2, 1000), np.int16), "array of int16.*must be of floats"),
        (np.zeros(1000, np.float32), r"shape \(1000,\).*must be of floats, shape \(channels, samples\)"),
        (np.zeros((3, 1000), np.float32), "has 3 channels; it must have one or two"),
    ],
)
def test_arrays_of_another_kind_are_refused(tiny: Path, mixture: np.ndarray, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rtsep.load(tiny, device="cpu", mask="direct").separate(mixture, 44100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device='tpu': choose one of auto, cpu, cuda"),
        ({"mask": "hard"}, "mask='hard': choose one of card, ratio, direct"),
        ({"extension": "ones"}, "extension='ones': choose one of card, zeros, average, top_band"),
        ({"stems": ("drums",)}, "stems drums: choose once each of vocals, accompaniment"),
        ({"stems": ("vocal",)}, "choose once each of vocals, accompaniment. Did you mean 'vocals'?"),
        ({"stems": ("vocals", "vocals")}, "choose once each of"),
        ({"stems": ()}, r"stems \(none\): choose"),
    ],
)
def test_options_that_are_not_known_are_refused(tiny: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        rtsep.load(tiny, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate_hz", [0, 7999, 1_000_000])
def test_rates_that_are_none_are_refused(tiny: Path, rate_hz: int) -> None:
    with pytest.raises(UsageError, match=f"sample_rate_hz={rate_hz} must lie between 8000 and 384000"):
        rtsep.load(tiny, device="cpu").stream(rate_hz)


def test_a_separator_that_needs_a_model_says_so() -> None:
    with pytest.raises(UsageError, match="needs a model: name one with -m"):
        rtsep.load("spleeter")


def test_a_card_that_names_an_unknown_separator_is_refused(tmp_path: Path) -> None:
    card = make_card(("vocals", "rest")).model_copy(update={"separator": "oracle"})
    model = make_model(tmp_path / "tiny", card)
    with pytest.raises(ModelError, match=r"names the separator 'oracle'; installed are .*spleeter"):
        rtsep.load(model)
