"""The mixer: a mix that any thread may change, handed to the audio thread without a lock."""

from __future__ import annotations

import difflib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtsep.atomics import FRESH, SLOT, exchange_word
from rtsep.errors import UsageError
from rtsep.mix import Bus, Matrix, Mix, Strip, mix_matrix

TURN_S = 0.01  # of a fade; in between the ramp of the callback goes evenly
LEAST_WEIGHT = 1e-4  # -80 dB: of a fade that another one has overtaken

#: Mixes and their weights, which are 1 together.
Heard = tuple[tuple[Mix, float], ...]


class Coefficients:
    """Three slots and one word: the newest matrix for a reader that never waits.

    The writer fills a slot of its own and exchanges it for the one in the word; the reader, when the word is
    fresh, exchanges its own for that. So each always owns one slot, and no matrix is ever seen half-written.

    Parameters
    ----------
    matrix
        The first one, which is there without being published.

    Attributes
    ----------
    newest
        The last one that was published.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.newest = matrix
        self.slots: NDArray[np.float32] = np.zeros((3, *matrix.shape), np.float32)
        self.slots[0] = matrix
        self._word = np.array([1], np.int64)  # the reader starts with slot 0, the writer with slot 2
        self.word_address = self._word.ctypes.data
        self._mine = 2

    def publish(self, matrix: Matrix) -> None:
        """Hand over a new matrix. For one writer at a time."""
        self.newest = matrix
        self.slots[self._mine] = matrix
        self._mine = int(exchange_word(self.word_address, self._mine | FRESH)) & SLOT


class Mixer:
    """Faders and buttons. Any thread may move them; the audio thread sees coefficients only.

    Parameters
    ----------
    mix
        As it stands at the start.
    n_outputs
        Output channels.
    solo_is_exclusive
        Whether to press the solo of a stem or a group ends all others.
    """

    def __init__(self, mix: Mix, n_outputs: int, *, solo_is_exclusive: bool = False) -> None:
        self._mix = mix
        self.n_outputs, self.solo_is_exclusive = n_outputs, solo_is_exclusive
        self._lock = threading.RLock()
        self._n_held, self._keeps_solos = 0, False
        self._players: list[tuple[tuple[str, ...], Coefficients]] = []
        self._departure: Heard = ()  # where a fade comes from, and how far the mix has come
        self._share = 1.0
        self._began_s, self._length_s = 0.0, 1.0
        self._fader: threading.Thread | None = None

    @property
    def mix(self) -> Mix:
        """Where everything stands now."""
        return self._mix

    @property
    def state(self) -> Mapping[str, Strip]:
        """Stem or direct input to strip, as it stands now."""
        return self._mix.all_strips

    @property
    def buses(self) -> Mapping[str, Bus]:
        """The buses, as they stand now."""
        return dict(self._mix.buses)

    @property
    def directs(self) -> tuple[str, ...]:
        """The direct inputs."""
        return tuple(self._mix.directs)

    def open(self, stems: tuple[str, ...]) -> Coefficients:
        """What a chain of these stems plays, from now on; a stem that was never seen starts untouched."""
        self.add(stems)
        with self._lock:
            coefficients = Coefficients(self.matrix(stems))
            self._players.append((stems, coefficients))
        return coefficients

    def open_silent(self, stems: tuple[str, ...], like: Mixer) -> Coefficients:
        """Silence for a chain that comes later, in the shape of a mixer that this one will have become by then."""
        like.add(stems)
        return Coefficients(np.zeros_like(like.matrix(stems)))

    def rise(self, stems: tuple[str, ...], coefficients: Coefficients) -> None:
        """Let a silent chain be heard: it ramps to the mix as it stands, and follows it."""
        self.add(stems)
        with self._lock:
            self._players.append((stems, coefficients))
            coefficients.publish(self.matrix(stems))

    def fall(self, coefficients: Coefficients) -> None:
        """Let a chain ramp to silence, whatever moves from now on."""
        with self._lock:
            self._forget(coefficients)
            coefficients.publish(np.zeros_like(coefficients.newest))

    def become(self, make: Callable[[Mixer], Mixer]) -> None:
        """Stand as a mixer does that is made of this one, while nothing moves. What is open must have its shape."""
        with self._lock:
            other = make(self)
            # What a fade comes from becomes the same: it goes on.
            before = ((make(self._standing(mix)).mix, weight) for mix, weight in self._departure)
            self._mix, self._departure = other.mix, tuple(before)
            self.n_outputs, self.solo_is_exclusive = other.n_outputs, other.solo_is_exclusive
            self._publish()

    def add(self, names: Iterable[str]) -> None:
        """Know these stems too, as they are."""
        new = {name: Strip() for name in names if name not in self._mix.directs}
        with self._lock:
            self._apply(lambda mix: replace(mix, strips={**new, **mix.strips}))

    def close(self, coefficients: Coefficients) -> None:
        """A chain is not played any more."""
        with self._lock:
            self._forget(coefficients)

    def edit(self, part: str, name: str, **values: Any) -> None:
        """Change fields of one strip, direct input, group or bus; during a fade they are changed at once.

        Parameters
        ----------
        part
            ``strips``, ``directs``, ``groups`` or ``buses``.
        name
            Which of them.
        values
            Fields and what they become.

        Raises
        ------
        UsageError
            There is none of that name, or it would go where there is nothing.
        """
        kind = {"strips": "stem", "directs": "direct input", "groups": "group", "buses": "bus"}[part]
        with self._lock:
            _check_name(kind, name, getattr(self._mix, part))
            self._check_places(values)
            ends_others = self.solo_is_exclusive and not self._keeps_solos
            if ends_others and values.get("solo") and part != "directs":
                self._apply(_without_solo)
            self._apply(lambda mix: _edited(mix, part, name, values))
            self._publish()

    def turn(self, **values: Any) -> None:
        """Change fields of the mix itself: the cross-fader, the amount of separation, the bypass."""
        with self._lock:
            self._apply(lambda mix: replace(mix, **values))
            self._publish()

    @contextmanager
    def together(self) -> Iterator[None]:
        """All changes of this block, of this thread, are heard at one instant, or those that were made if it fails."""
        with self._lock:
            self._n_held += 1
            try:
                yield
            finally:
                self._n_held -= 1
                self._publish()

    @contextmanager
    def keeping_solos(self) -> Iterator[None]:
        """In this block, of this thread, no solo ends another: a whole mix is set, and no button pressed."""
        with self._lock:
            before, self._keeps_solos = self._keeps_solos, True
            try:
                yield
            finally:
                self._keeps_solos = before

    @property
    def heard(self) -> Heard:
        """What is heard now: during a fade more than one mix."""
        with self._lock:
            before = ((mix, (1 - self._share) * weight) for mix, weight in self._departure)
            return (*(part for part in before if part[1] > LEAST_WEIGHT), (self._mix, self._share))

    def fade_from(self, departure: Heard, length_s: float) -> None:
        """Play what was heard before, and go from there to the mix as it stands, evenly in so much time."""
        with self._lock:
            self._departure, self._share = departure, 0.0
            self._began_s, self._length_s = time.monotonic(), length_s
            self._publish()
            if self._fader is None:
                self._fader = threading.Thread(target=self._fade, name="rtsep-fade", daemon=True)
                self._fader.start()

    def _fade(self) -> None:
        """Turn by turn until there is nothing to come from; another fade that begins meanwhile goes on from here."""
        while True:
            time.sleep(TURN_S)
            with self._lock:
                self.fade_to((time.monotonic() - self._began_s) / self._length_s)
                if not self._departure:
                    self._fader = None
                    return

    def fade_to(self, share: float) -> None:
        """Play the mix as it stands by `share`; at 1 the fade is over."""
        with self._lock:
            if share >= 1.0 or not self._departure:
                self._departure, share = (), 1.0
            self._share = share
            self._publish()

    def matrix(self, stems: tuple[str, ...]) -> Matrix:
        """The linear gains of the mix as it stands, for a chain of these stems."""
        parts = [weight * mix_matrix(mix, stems, self.n_outputs) for mix, weight in self.heard]
        return np.asarray(np.sum(parts, axis=0), np.float32)

    def _check_places(self, values: Mapping[str, Any]) -> None:
        """Refuse outputs and buses that are not there; those of a surface may be of what played before."""
        outputs = [*(values.get("route") or ()), *(values.get("outputs") or ())]
        if outputs and max(outputs) >= self.n_outputs:
            raise UsageError(f"there is no output {max(outputs) + 1}; {self.n_outputs} are open")
        for bus in values.get("sends") or ():
            _check_name("bus", bus, self._mix.buses)

    def _standing(self, mix: Mix) -> Mixer:
        """A mixer like this one that stands elsewhere."""
        return Mixer(mix, self.n_outputs, solo_is_exclusive=self.solo_is_exclusive)

    def _apply(self, change: Callable[[Mix], Mix]) -> None:
        """Also to what a fade comes from, so that what is touched meanwhile is at once where it was put."""
        self._mix = change(self._mix)
        self._departure = tuple((change(mix), weight) for mix, weight in self._departure)

    def _forget(self, coefficients: Coefficients) -> None:
        self._players = [player for player in self._players if player[1] is not coefficients]

    def _publish(self) -> None:
        if self._n_held:
            return
        for stems, coefficients in self._players:
            coefficients.publish(self.matrix(stems))


def _edited(mix: Mix, part: str, name: str, values: Mapping[str, Any]) -> Mix:
    found = getattr(mix, part)
    changes: dict[str, Any] = {part: {**found, name: replace(found[name], **values)}}
    return replace(mix, **changes)


def _without_solo(mix: Mix) -> Mix:
    strips = {name: replace(strip, solo=False) for name, strip in mix.strips.items()}
    groups = {name: replace(group, solo=False) for name, group in mix.groups.items()}
    return replace(mix, strips=strips, groups=groups)


def _check_name(kind: str, name: str, known: Mapping[str, object]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"there is no {kind} {name!r}; there are {', '.join(known)}.{hint}")
