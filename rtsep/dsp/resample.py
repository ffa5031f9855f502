"""Sample rate conversion of a stream, with a lag that is known beforehand.

soxr keeps time: output sample *k* belongs to the instant ``k / rate_out``, as input sample *k* belongs to
``k / rate_in``. It only comes late, and in bursts. Fed in steps of a fixed size, how late depends on nothing but the
count of samples so far.

It serves where nobody waits (files, training). A live stream would have to declare its worst burst, 19 to 30 ms, where
`rtsep.dsp.polyphase` is 1 ms late; soxr's variable ratio does not burst, but is 5 to 6 ms late and no cleaner than
-111 dB at several times the work (``bench/resampling.py``).
"""

from __future__ import annotations

import numpy as np
import soxr

from rtsep.stream import Audio

QUALITY = "HQ"  # 20 bits: the artefacts lie under -120 dB
STEP_SAMPLES = 64  # soxr is fed in whole steps


class StepResampler:
    """One direction of a conversion, fed in whole steps.

    Parameters
    ----------
    rate_in_hz, rate_out_hz
        The two rates.
    n_channels
        Channels; all are converted alike.
    """

    def __init__(self, rate_in_hz: int, rate_out_hz: int, n_channels: int) -> None:
        self._rates = (rate_in_hz, rate_out_hz)
        self._n_channels = n_channels
        self.reset()

    def reset(self) -> None:
        """Forget all input."""
        self._soxr = soxr.ResampleStream(*self._rates, self._n_channels, dtype="float32", quality=QUALITY)
        self._rest = np.zeros((self._n_channels, 0), np.float32)

    def process(self, block: Audio, *, last: bool = False) -> Audio:
        """Take ``(channels, n)``, return what is ready, ``(channels, m)``; `last` empties the converter."""
        samples = np.concatenate((self._rest, block), axis=1)
        n_whole = samples.shape[1] // STEP_SAMPLES * STEP_SAMPLES
        self._rest = samples[:, n_whole:]
        parts = (
            [self._convert(part) for part in np.split(samples[:, :n_whole], n_whole // STEP_SAMPLES, axis=1)]
            if n_whole
            else []
        )
        if last:
            parts.append(self._convert(self._rest, last=True))
        return np.concatenate(parts, axis=1) if parts else samples[:, :0]

    def _convert(self, part: Audio, *, last: bool = False) -> Audio:
        converted = self._soxr.resample_chunk(np.ascontiguousarray(part.T), last=last)
        return np.asarray(converted, np.float32).T
