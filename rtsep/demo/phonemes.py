"""What a mouth does for each phoneme: formants, voice, breath and hiss.

Vowels: the men of Peterson and Barney, *Control methods used in a study of the vowels*, JASA 24 (1952), table
II; schwa: the even tube of Fant, *Acoustic theory of speech production* (1960). Consonants: Klatt, *Software for
a cascade/parallel formant synthesizer*, JASA 67 (1980), table III; lengths and levels set by eye and measurement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Phone:
    """One steady posture of the mouth; levels are linear, 1 = an open vowel."""

    formants_hz: tuple[float, float, float]
    voice: float = 1.0
    breath: float = 0.02  # noise from the throat, shaped by the formants
    hiss: float = 0.0  # noise made at the teeth or the lips
    hiss_hz: float = 5000.0
    hiss_width_hz: float = 3000.0
    nasal: bool = False
    length_s: float = 0.0  # 0: as long as the note; else fixed


def _vowel(f1: float, f2: float, f3: float, voice: float = 1.0) -> tuple[Phone, ...]:
    return (Phone((f1, f2, f3), voice, hiss=0.008),)  # a little air


def _sonorant(
    f1: float, f2: float, f3: float, voice: float, length_s: float, nasal: bool = False
) -> tuple[Phone, ...]:
    return (Phone((f1, f2, f3), voice, nasal=nasal, length_s=length_s),)


def _fricative(
    locus: tuple[float, float, float],
    hiss: float,
    hz: float,
    width: float,
    length_s: float,
    voice: float = 0.0,
) -> tuple[Phone, ...]:
    return (Phone(locus, voice, 0.0, hiss, hz, width, length_s=length_s),)


def _plosive(
    locus: tuple[float, float, float], hiss: float, hz: float, width: float, voiced: bool
) -> tuple[Phone, ...]:
    closed = Phone(locus, 0.12 if voiced else 0.0, 0.0, length_s=0.05)
    burst = Phone(locus, 0.1 if voiced else 0.0, 0.0, hiss, hz, width, length_s=0.015)
    if voiced:
        return closed, burst
    return closed, burst, replace(burst, breath=0.15, hiss=0.15 * hiss, length_s=0.03)


VOWELS: dict[str, tuple[Phone, ...]] = {
    "iy": _vowel(270, 2290, 3010),  # heed
    "ih": _vowel(390, 1990, 2550),  # hid
    "eh": _vowel(530, 1840, 2480),  # head
    "ae": _vowel(660, 1720, 2410),  # had
    "aa": _vowel(730, 1090, 2440),  # hod
    "ao": _vowel(570, 840, 2410),  # hawed
    "uh": _vowel(440, 1020, 2240),  # hood
    "uw": _vowel(300, 870, 2240),  # who'd
    "ah": _vowel(640, 1190, 2390),  # hud
    "er": _vowel(490, 1350, 1690),  # heard
    "ax": _vowel(500, 1500, 2500),  # the a of about
    "ow": (*_vowel(500, 880, 2400), Phone((380, 850, 2300), 0.85, length_s=0.12)),  # hoed, closing
    "el": _vowel(420, 950, 2700, 0.8),  # bottle
}

CONSONANTS: dict[str, tuple[Phone, ...]] = {
    "m": _sonorant(480, 1270, 2130, 0.45, 0.07, nasal=True),
    "n": _sonorant(480, 1340, 2470, 0.45, 0.06, nasal=True),
    "ng": _sonorant(480, 2000, 2900, 0.45, 0.08, nasal=True),
    "l": _sonorant(310, 1050, 2880, 0.55, 0.06),
    "r": _sonorant(310, 1060, 1380, 0.6, 0.06),
    "w": _sonorant(290, 610, 2150, 0.55, 0.06),
    "y": _sonorant(260, 2070, 3020, 0.55, 0.06),
    "s": _fricative((320, 1390, 2530), 0.19, 7000, 3000, 0.11),
    "sh": _fricative((300, 1840, 2750), 0.24, 3600, 1800, 0.11),
    "f": _fricative((340, 1100, 2080), 0.10, 6500, 7000, 0.09),
    "v": _fricative((220, 1100, 2080), 0.05, 6000, 7000, 0.06, voice=0.35),
    "dh": _fricative((270, 1290, 2540), 0.05, 6500, 6000, 0.05, voice=0.4),
    "z": _fricative((240, 1390, 2530), 0.12, 7000, 3000, 0.08, voice=0.3),
    "hh": (Phone((500, 1500, 2500), 0.05, 0.30, length_s=0.07),),
    "b": _plosive((200, 1100, 2150), 0.25, 900, 900, voiced=True),
    "d": _plosive((200, 1600, 2600), 0.30, 3800, 2500, voiced=True),
    "g": _plosive((200, 1990, 2850), 0.30, 1900, 900, voiced=True),
    "p": _plosive((400, 1100, 2150), 0.30, 900, 1200, voiced=False),
    "t": _plosive((400, 1600, 2600), 0.45, 4500, 3000, voiced=False),
    "k": _plosive((300, 1990, 2850), 0.40, 1900, 1000, voiced=False),
}

SILENCE = Phone((500, 1500, 2500), 0.0, 0.0)
INHALE = Phone((600, 1700, 2700), 0.0, 0.10, 0.02)
