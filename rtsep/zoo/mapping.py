"""A Spleeter checkpoint's variables -> the state dict of our network.

TensorFlow numbers variables in the order of their creation, one count for each kind of layer, through all
instruments: the first net has ``conv2d`` to ``conv2d_6``, the second goes on with ``conv2d_7``. Every net makes

    7 conv2d                 six halvings, then the head
    12 batch_normalization   six on the way down (the sixth leads nowhere), six on the way up
    6 conv2d_transpose       six doublings

which are 74 variables; with ``global_step`` 149 for two instruments. Kernels are stored (height, width, in, out), of
the transpose (height, width, out, in); torch wants the reverse of the last two in front in both cases.

Source: ``spleeter/model/functions/unet.py`` of Spleeter 2.4.2, and the index of its published checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rtsep.errors import CheckpointError
from rtsep.nets.unet import SeparationNet
from rtsep.zoo.bundle import Bundle, Variable
from rtsep.zoo.card import NetworkCard

_N_CONVS, _N_NORMS, _N_DECONVS = 7, 12, 6  # of one net
_DOWN = 6  # halvings, and doublings

# ours -> theirs
_CONV_PARTS = {"weight": "kernel", "bias": "bias"}
_NORM_PARTS = {
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "moving_mean",
    "running_var": "moving_variance",
}

# Left in the file by training: the step counter, and the optimizer's state of every variable.
_TRAINING = re.compile(r"global_step|beta[12]_power|.+/(Adam|Adadelta|Momentum)(_1)?")


class Source(NamedTuple):
    """The variable that a tensor comes from, and the shape it must have there."""

    variable: str
    shape: tuple[int, ...]


def state_from_bundle(bundle: Bundle, network: NetworkCard) -> dict[str, Tensor]:
    """Read the networks of a checkpoint.

    Parameters
    ----------
    bundle
        The checkpoint.
    network
        What its configuration says of the networks.

    Returns
    -------
    dict
        A state dict of `SeparationNet`, float32, without step counters.

    Raises
    ------
    CheckpointError
        A variable is missing, of another shape, damaged or not finite, or one is there that the
        configuration does not explain.
    """
    sources = sources_of(network)
    _check_names(bundle, network, {source.variable for source in sources.values()})
    state = {ours: _tensor(bundle, source) for ours, source in sources.items()}
    for name in bundle.variables.keys() - {source.variable for source in sources.values()}:
        bundle.read(name)  # not used, but a damage in it is a damage of the file
    return state


def sources_of(network: NetworkCard) -> dict[str, Source]:
    """Tensor of ours -> variable of theirs, for all instruments."""
    with torch.device("meta"):
        ours = SeparationNet(network.instruments, network.unet).state_dict()
    sources = {}
    for n, instrument in enumerate(network.instruments):
        for layer, theirs in _layers(n):
            parts = _NORM_PARTS if theirs.startswith("batch") else _CONV_PARTS
            for part, their_part in parts.items():
                key = f"unet_{instrument}.{layer}.{part}"
                sources[key] = Source(f"{theirs}/{their_part}", _their_shape(tuple(ours[key].shape)))
    return sources


def _layers(n: int) -> Iterator[tuple[str, str]]:
    """The layers of the n-th net, ours and theirs."""
    for k in range(_DOWN):
        yield f"convs.{k}", _numbered("conv2d", n * _N_CONVS + k)
        yield f"deconvs.{k}", _numbered("conv2d_transpose", n * _N_DECONVS + k)
        yield f"deconv_norms.{k}", _numbered("batch_normalization", n * _N_NORMS + _DOWN + k)
    for k in range(_DOWN - 1):
        yield f"conv_norms.{k}", _numbered("batch_normalization", n * _N_NORMS + k)
    yield "head", _numbered("conv2d", n * _N_CONVS + _DOWN)


def _dead(network: NetworkCard) -> set[str]:
    """The norm of the sixth halving, of every net: Spleeter makes it and uses it for nothing."""
    layers = [
        _numbered("batch_normalization", n * _N_NORMS + _DOWN - 1) for n in range(len(network.instruments))
    ]
    return {f"{layer}/{part}" for layer in layers for part in _NORM_PARTS.values()}


def _numbered(kind: str, n: int) -> str:
    return kind if n == 0 else f"{kind}_{n}"


def _their_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """(a, b, height, width) -> (height, width, b, a); a vector stays as it is."""
    return shape if len(shape) == 1 else (shape[2], shape[3], shape[1], shape[0])


def _check_names(bundle: Bundle, network: NetworkCard, used: set[str]) -> None:
    """All that is needed must be there, and all that is there must be explained."""
    given = f"{len(network.instruments)} instruments ({', '.join(network.instruments)})"
    missing = sorted(used - bundle.variables.keys())
    if missing:
        raise CheckpointError(
            f"{bundle.index} lacks {len(missing)} variables that its configuration of {given} needs, {missing[0]!r} "
            f"first; it has {len(bundle.variables)}. Is this the checkpoint of another configuration?"
        )
    explained = used | _dead(network)
    surplus = sorted(name for name in bundle.variables.keys() - explained if not _TRAINING.fullmatch(name))
    if surplus:
        raise CheckpointError(
            f"{bundle.index} holds {len(surplus)} variables that its configuration of {given} does not explain, "
            f"{surplus[0]!r} first. Is this the checkpoint of another configuration, with more instruments?"
        )


def _tensor(bundle: Bundle, source: Source) -> Tensor:
    variable = bundle.variables[source.variable]
    _check_shape(bundle, variable, source.shape)
    values = bundle.read(source.variable)
    if not np.issubdtype(values.dtype, np.floating):
        raise CheckpointError(
            f"{bundle.index}: variable {source.variable!r} holds {values.dtype}, not weights."
        )
    if not np.isfinite(values).all():
        raise CheckpointError(
            f"{bundle.prefix}: variable {source.variable!r} holds numbers that are not finite: its training diverged. "
            f"Take an earlier checkpoint."
        )
    values = values.astype(np.float32)
    if values.ndim == 4:
        values = values.transpose(3, 2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values))


def _check_shape(bundle: Bundle, variable: Variable, wanted: tuple[int, ...]) -> None:
    if variable.shape != wanted:
        raise CheckpointError(
            f"{bundle.index}: variable {variable.name!r} has shape {variable.shape}, but its configuration makes it "
            f"{wanted}. Look at conv_n_filters and at the order of instrument_list."
        )
