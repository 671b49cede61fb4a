"""Series in time: values that follow each other, to forecast or to recognize.

The yearly sunspots are real and have puzzled people since Wolf; the Mackey-Glass series is computed
from an equation and just as irregular; the formant tracks move like the resonances of a voice that
says a digit. A series is cut in order: the future must not help to predict the past.
"""

from dataclasses import dataclass, replace

import numpy as np

from . import tables
from .arguments import between, whole
from .dataset import Dataset


@dataclass(frozen=True, eq=False)
class Series:
    """Values at equally distant times. Nothing changes it.

    Args:
        values: (N,) or (N, D) float32.
        times: (N,) when each was measured, in `unit`.
        unit: of the times.
        name, source, licence: as in `Dataset`.
    """

    values: np.ndarray
    times: np.ndarray
    unit: str = ""
    name: str = "series"
    source: str = ""
    licence: str = ""

    def __post_init__(self):
        if len(self.values) != len(self.times):
            raise ValueError(f"Series: {len(self.values)} values but {len(self.times)} times")
        for field in ("values", "times"):
            view = np.asarray(getattr(self, field)).view()
            view.flags.writeable = False
            object.__setattr__(self, field, view)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        """(time, value) at an integer; a shorter series for a slice."""
        if isinstance(index, slice):
            return replace(self, values=self.values[index], times=self.times[index])
        return self.times[index], self.values[index]

    def __repr__(self):
        times = f"{self.unit} {self.times[0]} to {self.times[-1]}" if len(self) else "empty"
        return f"Series({self.name}: {len(self)} values, {times})"

    def split(self, validation=0.2, test=0.2):
        """Three series that follow each other: training, validation and test.

        Args:
            validation: share of the values for validation. Default 0.2.
            test: share of the values for the test, the last ones. Default 0.2.

        Raises:
            ValueError: if the shares leave nothing to train on.
        """
        between("split", 0, 1, validation=validation, test=test)
        if validation + test >= 1:
            raise ValueError(
                f"split: shares must sum to less than 1, got validation={validation}, test={test}"
            )
        first = round((1 - validation - test) * len(self))
        second = round((1 - test) * len(self))
        return self[:first], self[first:second], self[second:]

    def windows(self, length, horizon=1):
        """Windows of the series, each with the value that lies `horizon` steps after its end.

        Args:
            length: T, values in a window.
            horizon: how far ahead to predict, in steps. Default 1.

        Returns:
            `Dataset` with inputs (M, T, D) and targets (M, D); the inputs are views, not copies.

        Raises:
            TypeError, ValueError: if the series is too short.
        """
        whole("windows", length=length, horizon=horizon)
        count = len(self) - length - horizon + 1
        if count < 1:
            raise ValueError(
                f"windows: {len(self)} values are too few for windows of {length} and a target "
                f"{horizon} steps ahead"
            )
        values = self.values.reshape(len(self), -1)  # (N, D)
        views = np.lib.stride_tricks.sliding_window_view(values, length, axis=0)  # (., D, T)
        return Dataset(
            views[:count].transpose(0, 2, 1), values[length + horizon - 1 :],
            name=self.name, source=self.source, licence=self.licence,
        )  # fmt: skip


def sunspots():
    """Yearly mean sunspot numbers, 1700 to 2008: 309 values with a cycle of about 11 years.

    These are the numbers as Wolf counted (version 1), before the recalibration of 2015.

    Returns:
        `Series` with the years as times.
    """
    table = tables.load("sunspots")
    return Series(
        table["number"].astype(np.float32), table["year"], "year", "sunspots",
        source="NOAA National Geophysical Data Center, international sunspot numbers, as carried "
        "by statsmodels",
        licence="public domain",
    )  # fmt: skip


def mackey_glass(n=1000, tau=17.0, beta=0.2, gamma=0.1, power=10, start=1.2, skip=300, step=0.1):
    """The series of Mackey and Glass (1977): production depends on how much there was time tau ago.

    dx/dt = beta x(t - tau) / (1 + x(t - tau)^power) - gamma x(t), with x = `start` up to t = 0. It
    oscillates regularly for small tau and chaotically from about 17 on. Integrated by Runge and
    Kutta's method of fourth order; between two steps, the past is a cubic through the values and
    slopes of both. Powers are products, and everything else is a sum or quotient of single numbers,
    so that every machine computes the same series although small differences grow.

    Args:
        n: number of values. Default 1000.
        tau: delay, in units of time, a multiple of `step`. Default 17.
        beta, gamma, power: of the equation. Default 0.2, 0.1 and 10.
        start: x before time 0. Default 1.2.
        skip: units of time left out at the beginning, until the oscillation has settled.
            Default 300.
        step: of the integration; 1 must be a multiple of it. Default 0.1.

    Returns:
        `Series`, one value for each unit of time.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("mackey_glass", n=n, power=power)
    whole("mackey_glass", 0, skip=skip)
    between("mackey_glass", 1e-3, 1, step=step)
    between("mackey_glass", step, np.inf, tau=tau)
    between("mackey_glass", 0, np.inf, beta=beta, gamma=gamma, start=start)
    per_unit, delay = round(1 / step), round(tau / step)
    if abs(per_unit * step - 1) > 1e-9 or abs(delay * step - tau) > 1e-9 * tau:
        raise ValueError(
            f"mackey_glass: 1 and tau must be multiples of the step, got tau={tau}, step={step}"
        )

    def slope(x, past):
        raised = 1.0
        for _ in range(power):
            raised *= past
        return beta * past / (1.0 + raised) - gamma * x

    h = step
    x = [float(start)] * (delay + 1)  # from t = -tau to 0
    dx = [0.0] * (delay + 1)
    dx[-1] = slope(x[-1], x[0])
    for t in range((skip + n) * per_unit):
        past, next_past = x[t], x[t + 1]
        # Before time 0, x is constant; after it, a cubic.
        middle = start if t < delay else (past + next_past) / 2 + h / 8 * (dx[t] - dx[t + 1])
        here = x[-1]
        k1 = dx[-1] if t else slope(here, past)
        k2 = slope(here + h / 2 * k1, middle)
        k3 = slope(here + h / 2 * k2, middle)
        k4 = slope(here + h * k3, next_past)
        x.append(here + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
        dx.append(slope(x[-1], next_past))
    first = delay + skip * per_unit
    values = np.array(x[first : first + n * per_unit : per_unit])
    return Series(
        values.astype(np.float32), np.arange(n) + skip, "time", f"Mackey-Glass, tau = {tau:g}",
        source="computed by dlcourse from the equation of Mackey and Glass (1977)", licence="MIT",
    )  # fmt: skip


# Formant tracks -------------------------------------------------------------------------------

# First three formants of American English vowels in Hz, averages of men, women and children
# (Peterson and Barney, 1952, table II). Keys: the vowel of heed, hid, head, had, hod, hawed, hood,
# who'd, hud, heard.
VOWELS = {
    "heed": ((270, 2290, 3010), (310, 2790, 3310), (370, 3200, 3730)),
    "hid": ((390, 1990, 2550), (430, 2480, 3070), (530, 2730, 3600)),
    "head": ((530, 1840, 2480), (610, 2330, 2990), (690, 2610, 3570)),
    "had": ((660, 1720, 2410), (860, 2050, 2850), (1010, 2320, 3320)),
    "hod": ((730, 1090, 2440), (850, 1220, 2810), (1030, 1370, 3170)),
    "hawed": ((570, 840, 2410), (590, 920, 2710), (680, 1060, 3180)),
    "hood": ((440, 1020, 2240), (470, 1160, 2680), (560, 1410, 3310)),
    "who'd": ((300, 870, 2240), (370, 950, 2670), (430, 1170, 3260)),
    "hud": ((640, 1190, 2390), (760, 1400, 2780), (850, 1590, 3360)),
    "heard": ((490, 1350, 1690), (500, 1640, 1960), (560, 1820, 2160)),
}

# The spoken digits as a sequence of vowels. Consonants are only told by how loud they are: "hiss"
# (f, s, th, t, k) is nearly silent, "hum" (n, v, z) half as loud, with the first formant lowered.
_WORDS = {
    "zero": ("hum", "hid", "heard", "hawed", "hood"),
    "one": ("who'd", "hud", "hum"),
    "two": ("hiss", "who'd"),
    "three": ("hiss", "heard", "heed"),
    "four": ("hiss", "hawed", "heard"),
    "five": ("hiss", "hod", "hid", "hum"),
    "six": ("hiss", "hid", "hiss"),
    "seven": ("hiss", "head", "hum", "hud", "hum"),
    "eight": ("head", "hid", "hiss"),
    "nine": ("hum", "hod", "hid", "hum"),
}
_LOUDNESS = {"hiss": 0.1, "hum": 0.5}


def formant_tracks(n=1000, frames=40, noise=0.15, seed=0):
    """Digits "zero" to "nine" as moving resonances: what a speech recognizer sees, much simplified.

    Each example is a word said by a man, a woman or a child: the averages of Peterson and Barney
    (1952), times a factor for the size of the speaker, joined smoothly, at a random pace, after a
    random silence. Consonants are only marked by loudness. The vowels of each digit are our own
    schematic choice.

    Args:
        n: number of words, speakers and digits taking turns. Default 1000.
        frames: T, at least 20; think of hundredths of a second. Default 40.
        noise: standard deviation of the noise, in kHz for the formants. Default 0.15.
        seed: of the random numbers. Default 0.

    Returns:
        `Dataset` with inputs (n, T, 4), float32: the first three formants in kHz and the loudness
        from 0 to 1; in silence all are noise around 0. Targets (n,), 0 to 9.

    Raises:
        TypeError, ValueError: if a number is out of range.
    """
    whole("formant_tracks", n=n)
    whole("formant_tracks", 20, frames=frames)
    between("formant_tracks", 0, np.inf, noise=noise)
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 10
    words = list(_WORDS.values())
    inputs = np.zeros((n, frames, 4))
    for i in range(n):
        track = _say(words[targets[i]], i // 10 % 3, int(rng.integers(frames // 3, frames)), rng)
        start = rng.integers(frames - len(track) + 1)
        inputs[i, start : start + len(track)] = track
    inputs += noise * rng.standard_normal(inputs.shape)
    return Dataset(
        inputs.astype(np.float32), targets.astype(np.int64), tuple(_WORDS), "formant tracks",
        source="computed by dlcourse from the averages of Peterson and Barney (1952), "
        "Control methods used in a study of the vowels",
        licence="MIT",
    )  # fmt: skip


def _say(sounds, speaker, length, rng):
    """One word as a track (length, 4) in kHz and loudness."""
    vowels = [s for s in sounds if s in VOWELS]
    targets, loudness = [], []
    for place, sound in enumerate(sounds):
        # A consonant is formed with the mouth on its way between the vowels beside it.
        beside = [s for s in sounds[place:] if s in VOWELS] or vowels[-1:]
        formants = np.array(VOWELS[beside[0]][speaker]) / 1000
        if sound == "hum":
            formants = formants * [0.5, 1, 1]
        targets.append(formants * rng.normal(1, 0.08, 3))
        loudness.append(_LOUDNESS.get(sound, 1.0))
    shares = rng.uniform(0.6, 1.4, len(sounds)) * np.where(np.array(loudness) == 1, 1.5, 1)
    centers = (np.cumsum(shares) - shares / 2) / shares.sum()
    time = (np.arange(length) + 0.5) / length
    columns = [np.interp(time, centers, column) for column in np.array(targets).T]
    size = rng.normal(1, 0.08)  # of the vocal tract: shorter ones sound higher
    return np.stack([size * c for c in columns] + [np.interp(time, centers, loudness)], axis=1)
