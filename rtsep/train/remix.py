"""Segments that nobody has heard before: a voice over its own song, or over layers of others.

Half of them keep voice and backing of one song together (they fit, as in music); the other half put a voice over
one to three layers of anything (so that the network cannot learn songs by heart). See `RemixData` for the shares.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from rtsep.stream import N_CHANNELS, Audio
from rtsep.train.effects import eq_curve, gain, place, reverb, rms
from rtsep.train.library import Layer, Library, Voice
from rtsep.train.recipe import ModelRecipe, RemixData
from rtsep.train.segments import Batch, spectra
from rtsep.train.sounds import Sound

VOICE_RMS, LAYER_RMS = 0.01, 0.003  # a crop quieter than this holds nothing: draw again
N_TRIES = 20
STEM_GAIN_DB = 3.0  # deviation, of the stems of one song among themselves
STEM_DROP_SHARE = 0.12
NOMINAL_RMS = 0.1
SILENT_RMS = 1e-4


class RemixSegments:
    """A source of batches (`rtsep.train.segments.Segments`) that makes every segment anew.

    Parameters
    ----------
    library
        The sounds.
    model
        Frames and bins; one stem owns a network, and it is the voice.
    data
        Shares and ranges.
    batch_size
        Segments in a batch.
    seed
        Segment i of batch n is drawn from the generator ``(seed, n, i)``.
    """

    def __init__(
        self, library: Library, model: ModelRecipe, data: RemixData, *, batch_size: int, seed: int
    ) -> None:
        self._library, self._model, self._data = library, model, data
        self._batch_size, self._seed = batch_size, seed
        self.n_seconds = library.n_seconds
        weights = np.array([layer.weight for layer in library.layers])
        self._layers_of = {
            stem: [i for i, layer in enumerate(library.layers) if layer.stem == stem]
            for stem in data.drawn_layers
        }
        self._odds = {stem: weights[i] / weights[i].sum() for stem, i in self._layers_of.items() if i}
        stem_weights = np.array([data.layer_weights[stem] for stem in self._odds])
        self._stem_odds = stem_weights / stem_weights.sum()

    def batch(self, number: int) -> Batch:
        """Batch `number`."""
        rngs = [np.random.default_rng((self._seed, number, i)) for i in range(self._batch_size)]
        pairs = spectra(np.stack([self._pair(rng) for rng in rngs]), self._model)
        curves = torch.from_numpy(np.stack([self._curves(rng) for rng in rngs]))
        pairs *= curves[:, :, None, None, :]
        voice, backing = pairs.unbind(dim=1)
        return Batch(voice + backing, voice[None])

    def _curves(self, rng: np.random.Generator) -> Audio:
        """EQ of voice and backing, ``(2, bins)``."""
        model = self._model
        frequencies_hz = np.arange(model.n_bins) * model.sample_rate_hz / model.frame_samples
        return np.stack([eq_curve(rng, frequencies_hz, self._data.eq_db) for _ in range(2)])

    def _pair(self, rng: np.random.Generator) -> Audio:
        """Voice and backing, ``(2, 2, segment_samples)``."""
        data = self._data
        if rng.random() < data.same_song_share:
            voice, backing = self._one_song(rng)
            backing = place(rng, backing)
        else:
            voice, backing = self._voice_alone(rng), self._new_backing(rng)
        if rng.random() < data.reverb_share:
            voice = reverb(rng, voice, data.reverb_gain_db, self._model.sample_rate_hz)
        voice = place(rng, voice)
        return self._levelled(rng, voice, backing)

    def _levelled(self, rng: np.random.Generator, voice: Audio, backing: Audio) -> Audio:
        """The two at random levels; in their shares, one of them silent."""
        data, kind = self._data, rng.random()
        if kind < data.no_voice_share:
            voice = np.zeros_like(voice)
        elif kind < data.no_voice_share + data.voice_alone_share:
            backing = np.zeros_like(backing)
        elif (level := rms(backing)) > SILENT_RMS:
            voice = (
                voice
                * np.float32(level / max(rms(voice), SILENT_RMS))
                * gain(rng.uniform(*data.voice_gain_db))
            )
        scale = gain(rng.uniform(*data.mixture_level_dbfs)) / np.float32(
            max(rms(voice + backing), SILENT_RMS)
        )
        return np.stack((voice, backing)) * scale

    def _one_song(self, rng: np.random.Generator) -> tuple[Audio, Audio]:
        """A place of one song: its voice, and most of its other stems at somewhat different gains."""
        voice = self._song_voice(rng)
        semitones = _draw_pitch(rng, voice.sounds, self._data.backing_semitones)
        start = self._start(rng, voice.sounds[semitones], VOICE_RMS)
        n_samples = self._model.segment_samples
        backing = np.zeros((N_CHANNELS, n_samples), np.float32)
        for stem in voice.backing:
            if semitones in stem and rng.random() > STEM_DROP_SHARE:
                backing += stem[semitones].crop(start, n_samples) * gain(rng.normal(0, STEM_GAIN_DB))
        return voice.sounds[semitones].crop(start, n_samples), backing

    def _song_voice(self, rng: np.random.Generator) -> Voice:
        library = self._library
        is_demo = bool(library.demo_voices) and rng.random() < self._data.demo_share
        voices = library.demo_voices if is_demo else library.song_voices
        return voices[int(rng.integers(len(voices)))]

    def _voice_alone(self, rng: np.random.Generator) -> Audio:
        extra = self._library.extra_voices
        if extra and rng.random() < self._data.extra_share:
            voice = extra[int(rng.integers(len(extra)))]
        else:
            voice = self._song_voice(rng)
        sound = voice.sounds[_draw_pitch(rng, voice.sounds, self._data.voice_semitones)]
        return sound.crop(self._start(rng, sound, VOICE_RMS), self._model.segment_samples)

    def _new_backing(self, rng: np.random.Generator) -> Audio:
        """Layers of any song, pitch and place, at random levels."""
        n_samples, (fewest, most) = self._model.segment_samples, self._data.n_layers
        backing = np.zeros((N_CHANNELS, n_samples), np.float32)
        for _ in range(int(rng.integers(fewest, most + 1))):
            layer = self._layer(rng)
            sound = layer.sounds[_draw_pitch(rng, layer.sounds, self._data.backing_semitones)]
            crop = place(rng, sound.crop(self._start(rng, sound, LAYER_RMS), n_samples))
            level = gain(rng.uniform(*self._data.layer_gain_db)) * NOMINAL_RMS
            backing += crop * np.float32(level / max(rms(crop), LAYER_RMS))
        return backing

    def _layer(self, rng: np.random.Generator) -> Layer:
        stem = tuple(self._odds)[int(rng.choice(len(self._odds), p=self._stem_odds))]
        return self._library.layers[int(rng.choice(self._layers_of[stem], p=self._odds[stem]))]

    def _start(self, rng: np.random.Generator, sound: Sound, least_rms: float) -> int:
        """Where to crop: a place with something in it, if twenty tries find one."""
        n_samples = self._model.segment_samples
        start = 0
        for _ in range(N_TRIES):
            start = int(rng.integers(-n_samples // 4, max(1, sound.n_samples - 3 * n_samples // 4)))
            if sound.level(start, n_samples) > least_rms:
                break
        return start


def _draw_pitch(rng: np.random.Generator, sounds: Mapping[float, Sound], wanted: tuple[float, ...]) -> float:
    """One of the wanted pitches, or the original where the sound has no such version."""
    semitones = wanted[int(rng.integers(len(wanted)))]
    return semitones if semitones in sounds else min(sounds, key=abs)
