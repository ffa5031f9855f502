"""Variables -> tensors: values in their places, everything needed, nothing unexplained."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from bundle_writer import write_bundle

from rtsep.errors import CheckpointError
from rtsep.zoo.bundle import Bundle
from rtsep.zoo.card import NetworkCard
from rtsep.zoo.mapping import sources_of, state_from_bundle
from rtsep.zoo.spleeter import CONFIGS

WIDTHS = (1, 2, 1, 3, 1, 2)
NETWORK = NetworkCard(instruments=("a", "keys"), conv_n_filters=WIDTHS)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """All 149 variables of a narrow network, no two numbers alike, made from the original's rules."""
    count = itertools.count()
    made: dict[str, np.ndarray] = {}

    def put(layer: str, **shapes: tuple[int, ...]) -> None:
        for part, shape in shapes.items():
            size = int(np.prod(shape))
            made[f"{layer}/{part}"] = np.array([next(count) for _ in range(size)], np.float32).reshape(shape)

    def norm(n: int, width: int) -> None:
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        put(f"batch_normalization_{n}".removesuffix("_0"), **dict.fromkeys(names, (width,)))

    ups = (*WIDTHS[-2::-1], 1)
    for net in range(2):
        for n, (n_in, n_out) in enumerate(itertools.pairwise((2, *WIDTHS))):
            put(f"conv2d_{7 * net + n}".removesuffix("_0"), kernel=(5, 5, n_in, n_out), bias=(n_out,))
            norm(12 * net + n, n_out)
        for n, n_out in enumerate(ups):
            n_in = WIDTHS[-1] if n == 0 else 2 * ups[n - 1]
            layer = f"conv2d_transpose_{6 * net + n}".removesuffix("_0")
            put(layer, kernel=(5, 5, n_out, n_in), bias=(n_out,))
            norm(12 * net + 6 + n, n_out)
        put(f"conv2d_{7 * net + 6}", kernel=(4, 4, 1, 2), bias=(2,))
    made["global_step"] = np.array(7, np.int64)
    return made


def state(
    folder: Path, arrays: dict[str, np.ndarray], network: NetworkCard = NETWORK
) -> dict[str, np.ndarray]:
    write_bundle(folder / "model", arrays, n_shards=2)
    tensors = state_from_bundle(Bundle(folder / "model"), network)
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def test_every_number_is_in_its_place(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    assert len(arrays) == 149
    ours = state(tmp_path, arrays)
    kernel = arrays["conv2d_10/kernel"]  # the second net's fourth halving
    for y, x, i, o in np.ndindex(kernel.shape):
        assert ours["unet_keys.convs.3.weight"][o, i, y, x] == kernel[y, x, i, o]
    kernel = arrays["conv2d_transpose_1/kernel"]
    for y, x, o, i in np.ndindex(kernel.shape):
        assert ours["unet_a.deconvs.1.weight"][i, o, y, x] == kernel[y, x, o, i]
    np.testing.assert_array_equal(
        ours["unet_keys.deconv_norms.0.running_var"], arrays["batch_normalization_18/moving_variance"]
    )
    np.testing.assert_array_equal(ours["unet_a.conv_norms.4.weight"], arrays["batch_normalization_4/gamma"])
    np.testing.assert_array_equal(ours["unet_a.head.bias"], arrays["conv2d_6/bias"])
    assert not any(".conv_norms.5." in name for name in ours)


def test_published_configurations_ask_for_the_published_variables(golden: Path) -> None:
    bundle = Bundle(golden / "official-2stems-index" / "model")
    card = CONFIGS["2stems"].card("2stems")
    for source in sources_of(card.network).values():
        assert bundle.variables[source.variable].shape == source.shape
    unused = bundle.variables.keys() - {source.variable for source in sources_of(card.network).values()}
    layers = {name.split("/")[0] for name in unused}
    assert layers == {"batch_normalization_5", "batch_normalization_17", "global_step"}


def test_what_training_leaves_behind_is_passed_over(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    slots = {
        f"{name}/Adam{n}": array
        for name, array in arrays.items()
        if name != "global_step"
        for n in ("", "_1")
    }
    powers = {"beta1_power": np.array(0.9, np.float32), "beta2_power": np.array(0.999, np.float32)}
    assert state(tmp_path, arrays | slots | powers).keys() == state(tmp_path, arrays).keys()


def test_missing_misshapen_and_surplus_variables_are_named(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    def refused(match: str, **changes: np.ndarray | None) -> None:
        changed = arrays | {name.replace("__", "/"): value for name, value in changes.items()}
        with pytest.raises(CheckpointError, match=match):
            state(tmp_path, {name: value for name, value in changed.items() if value is not None})

    refused(r"lacks 1 variables .*2 instruments \(a, keys\).* 'conv2d_3/bias'", conv2d_3__bias=None)
    refused(r"'conv2d_3/bias' has shape \(9,\).* makes it \(3,\)", conv2d_3__bias=np.zeros(9, np.float32))
    refused("holds 1 variables .* 'conv2d_14/bias'", conv2d_14__bias=np.zeros(3, np.float32))
    refused(
        "'conv2d_3/bias' holds numbers that are not finite", conv2d_3__bias=np.full(3, np.nan, np.float32)
    )
    refused("'conv2d_3/bias' holds int64", conv2d_3__bias=np.zeros(3, np.int64))


def test_the_wrong_number_of_instruments_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray]) -> None:
    one = NetworkCard(instruments=("a",), conv_n_filters=WIDTHS)
    three = NetworkCard(instruments=("a", "b", "c"), conv_n_filters=WIDTHS)
    with pytest.raises(CheckpointError, match="does not explain"):
        state(tmp_path, arrays, one)
    with pytest.raises(CheckpointError, match="lacks 70 variables"):
        state(tmp_path, arrays, three)


def test_damage_in_a_variable_that_is_not_used_is_damage(
    tmp_path: Path, arrays: dict[str, np.ndarray]
) -> None:
    state(tmp_path, arrays)
    bundle = Bundle(tmp_path / "model")
    dead = bundle.variables["batch_normalization_5/gamma"]
    file = tmp_path / f"model.data-{dead.shard:05d}-of-00002"
    data = bytearray(file.read_bytes())
    data[dead.offset] ^= 1
    file.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"'batch_normalization_5/gamma'.* is damaged"):
        state_from_bundle(bundle, NETWORK)
