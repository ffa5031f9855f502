"""Fetching Spleeter's published models and installing them.

The archives are those of release v1.4.0 of deezer/spleeter, known by their sha256. The ``-16kHz`` models are the
same weights under another configuration, so that whoever has one of a pair gets the other without a download.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from rtsep.errors import DownloadError, ModelError, UsageError
from rtsep.zoo.archive import MAX_UNPACKED_BYTES, unpack_checkpoint
from rtsep.zoo.bundle import Bundle
from rtsep.zoo.card import WEIGHTS_FILE, ModelCard, ModelFolder, read_folder
from rtsep.zoo.convert import checkpoint_prefix
from rtsep.zoo.mapping import state_from_bundle
from rtsep.zoo.spleeter import CONFIGS, PREFIX, SpleeterConfig
from rtsep.zoo.store import list_models, store_folder
from rtsep.zoo.weights import (
    ABANDONED_S,
    finish_folder,
    new_folder,
    refuse_strangers,
    sha256_of,
    verify_weights,
    write_folder,
)

BASE_URL = "https://github.com/deezer/spleeter/releases/download/v1.4.0"

# Deezer's README calls only the code MIT-licensed; the paper says it of the models too.
LICENCE = (
    "MIT, for code and pre-trained models alike, according to Spleeter's paper (Hennequin et al., JOSS 5(50), 2020, "
    "2154); the repository's README says so of the code only."
)

# What stands on the card instead of a figure that nobody here could measure.
MEASURED = (
    "The separation equals that of Deezer's own program within 1e-5, shown on random weights; "
    "no figure was measured with these weights.",
)

Progress = Callable[[int, "int | None"], None]

SCRATCH_PREFIX, SCRATCH_SUFFIX = ".pull-", ".part"

_TIMEOUT = httpx.Timeout(30.0, connect=15.0)
_HEADERS = {"Accept-Encoding": "identity"}  # the archive as it lies there, not packed once more


@dataclass(frozen=True)
class Archive:
    """A published archive, and how its checkpoint is to be read.

    Attributes
    ----------
    file
        Its name under the release's address.
    sha256
        Its checksum, in hexadecimal digits.
    config
        The configuration that the checkpoint was made with.
    """

    file: str
    sha256: str
    config: SpleeterConfig

    @property
    def source(self) -> str:
        """What the card says of the origin; also how two models of the same weights know each other."""
        return f"Spleeter's published archive {self.file} (deezer/spleeter v1.4.0), sha256 {self.sha256}"


_SHA256 = {
    "2stems": "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    "4stems": "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8",
    "5stems": "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218",
}
ARCHIVES: dict[str, Archive] = {
    name: Archive(f"{config.model_dir}.tar.gz", _SHA256[config.model_dir], config)
    for name, config in CONFIGS.items()
}


def pull(
    name: str,
    *,
    from_file: str | os.PathLike[str] | None = None,
    base_url: str = BASE_URL,
    progress: Progress | None = None,
    archives: Mapping[str, Archive] = ARCHIVES,
) -> ModelFolder:
    """Fetch a published model, verify it, convert it and install it in the store.

    A model that is already there, and whole, is returned as it is. Until the last step nothing appears in the
    store but hidden folders, which vanish on any failure, Ctrl-C included.

    Parameters
    ----------
    name
        ``2stems``, ``4stems``, ``5stems``, or one of these with ``-16kHz``; ``spleeter:`` may precede it.
    from_file
        An archive that was fetched by hand, instead of a download.
    base_url
        The address that the archives lie under.
    progress
        Called as ``progress(received_bytes, total_bytes)`` during a download; the total is None where
        the server does not tell.
    archives
        What can be pulled.

    Raises
    ------
    UsageError
        No model of this name is published.
    DownloadError
        The archive did not arrive, not whole, or is not the published one.
    CheckpointError
        What is in it cannot be read.
    ModelError
        The store cannot be written.
    """
    name = name.removeprefix(PREFIX)
    if name not in archives:
        near = difflib.get_close_matches(name, archives, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise UsageError(f"{name!r} is not among the published models: {', '.join(archives)}.{hint}")
    archive = archives[name]
    dest = store_folder() / name
    existing = _usable(dest)
    if existing is not None and from_file is None:
        return existing
    refuse_strangers(dest)
    sister = None if from_file is not None else _same_weights(archive)
    if sister is not None:
        return _reuse(sister, archive, dest)
    with _scratch() as folder:
        scratch = Path(folder)
        file = _download(archive, base_url, scratch, progress) if from_file is None else Path(from_file)
        _verify(file, archive, fetched_by_hand=from_file is not None)
        return _install(unpack_checkpoint(file, scratch), archive, dest)


def _install(unpacked: Path, archive: Archive, dest: Path) -> ModelFolder:
    card = _card(dest.name, archive)
    bundle = Bundle(checkpoint_prefix(unpacked))
    return write_folder(dest, card, state_from_bundle(bundle, card.network))


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A hidden folder in the store, so that the last step is a rename within one disk."""
    store = store_folder()
    try:
        store.mkdir(parents=True, exist_ok=True)
        _sweep(store)
        return tempfile.TemporaryDirectory(prefix=SCRATCH_PREFIX, suffix=SCRATCH_SUFFIX, dir=store)
    except OSError as error:
        raise ModelError(
            f"the store {store} cannot be written: {error.strerror or error}. RTSEP_MODELS names another folder."
        ) from error


def _sweep(store: Path) -> None:
    """Clear away what killed downloads left; what was written to of late may belong to one that runs."""
    for left in store.glob(f"{SCRATCH_PREFIX}*{SCRATCH_SUFFIX}"):
        with contextlib.suppress(OSError):  # another pull may be sweeping, too
            written_s = max(path.stat().st_mtime for path in (left, *left.iterdir()))
            if time.time() - written_s > ABANDONED_S:
                shutil.rmtree(left)


def _usable(path: Path) -> ModelFolder | None:
    """The model in `path`, if there is one and its weights are what its card says."""
    try:
        folder = read_folder(path)
        verify_weights(folder)
    except ModelError:
        return None
    return folder


def _same_weights(archive: Archive) -> ModelFolder | None:
    """An installed model that was made from the same archive."""
    for entry in list_models():
        if entry.card is not None and entry.card.source == archive.source:
            found = _usable(entry.path)
            if found is not None:
                return found
    return None


def _card(name: str, archive: Archive) -> ModelCard:
    card = archive.config.card(name, source=archive.source, licence=LICENCE)
    return card.model_copy(update={"measured": MEASURED})


def _reuse(sister: ModelFolder, archive: Archive, dest: Path) -> ModelFolder:
    """Install the weights of a model under the configuration of another."""
    card = _card(dest.name, archive)
    with new_folder(dest) as made:
        try:  # a second name for the same bytes, where the disk can do that
            os.link(sister.weights, made / WEIGHTS_FILE)
        except OSError:
            shutil.copyfile(sister.weights, made / WEIGHTS_FILE)
        return finish_folder(made, card, dest)


def _download(archive: Archive, base_url: str, into: Path, progress: Progress | None) -> Path:
    """Fetch the archive into a folder; what goes wrong on the way says how to go on."""
    url = f"{base_url}/{archive.file}"
    file = into / f"{archive.file}.part"
    advice = f"Try again, or fetch {url} by hand and give it with --from {archive.file}."
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT, headers=_HEADERS) as response:
            response.raise_for_status()
            _receive(response, file, progress)
    except httpx.HTTPStatusError as error:
        status = f"{error.response.status_code} {error.response.reason_phrase}"
        raise DownloadError(f"{url} answers {status}. {advice}") from error
    except httpx.ConnectError as error:
        raise DownloadError(f"{url} cannot be reached ({error}): is there a connection? {advice}") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise DownloadError(
            f"{url} did not arrive whole ({error or type(error).__name__}). {advice}"
        ) from error
    except OSError as error:
        raise ModelError(f"{file} cannot be written: {error.strerror or error}.") from error
    return file


def _receive(response: httpx.Response, file: Path, progress: Progress | None) -> None:
    """Write the body, as it comes, to a file."""
    announced = response.headers.get("Content-Length", "")
    total_bytes = int(announced) if announced.isdecimal() else None
    with file.open("wb") as stream:
        for chunk in response.iter_raw():
            stream.write(chunk)
            if response.num_bytes_downloaded > MAX_UNPACKED_BYTES:
                raise httpx.ReadError("it does not end")
            if progress is not None:
                progress(response.num_bytes_downloaded, total_bytes)


def _verify(file: Path, archive: Archive, *, fetched_by_hand: bool) -> None:
    """Refuse whatever is not the published archive, byte for byte."""
    try:
        found = sha256_of(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}. Give {archive.file}.") from error
    if found == archive.sha256:
        return
    if fetched_by_hand:
        advice = "Fetch it again; a checkpoint of your own is taken by `rtsep models convert`."
    else:
        advice = (
            "Something on the way changed it, or it did not arrive whole; try again later. Nothing was kept."
        )
    name = file.name.removesuffix(".part")
    raise DownloadError(
        f"{name} is not the published archive: its sha256 is {found}, not {archive.sha256}. {advice}"
    )
