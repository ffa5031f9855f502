"""One network, its optimiser and its moving average: a step, a validation, a checkpoint."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from rtsep.errors import TrainingError
from rtsep.nets.unet import SeparationNet
from rtsep.train.checkpoint import Checkpoint
from rtsep.train.loss import LOSSES
from rtsep.train.recipe import Recipe, Training
from rtsep.train.segments import Batch

_AVERAGE_WARM_UP = 10  # the average forgets its first steps: decay (1 + n) / (10 + n), up to the recipe's


def learning_rate(training: Training, step: int) -> float:
    """The rate of step `step`, counted from 0: warm-up, then constant or half a cosine down to 0."""
    warm = min(1.0, (step + 1) / training.warm_up_steps) if training.warm_up_steps else 1.0
    if training.schedule == "constant":
        return training.learning_rate * warm
    return training.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / training.n_steps)))


class Trainer:
    """The state of a run.

    Parameters
    ----------
    recipe
        Network and training.
    device
        Where it runs.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self._training, self._device = recipe.training, device
        self._loss = LOSSES[recipe.training.loss]
        torch.manual_seed(recipe.training.seed)
        net = SeparationNet(recipe.model.network.instruments, recipe.model.network.unet)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = recipe.training.batch_norm_momentum
        for unet in net.unets.values():
            nn.init.constant_(unet.head.bias, recipe.training.head_bias)  # type: ignore[arg-type]
        # channels_last: a third less time a step on a CPU
        self.net: SeparationNet = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.net).eval() if recipe.training.average_decay else self.net
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=recipe.training.learning_rate)
        self.n_done = 0
        self.best_loss = math.inf

    def step(self, batch: Batch) -> float:
        """Learn from a batch; its loss.

        Raises
        ------
        TrainingError
            The loss is not finite.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = learning_rate(self._training, self.n_done)
        # Frozen is Spleeter's: batch norm as a fixed affine, its statistics 0 and 1.
        self.net.train(self._training.batch_norm == "train")
        loss = self._loss_of(self.net, batch)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss of step {self.n_done + 1} is {loss.item()}. Lower training.learning_rate, or set clip_norm."
            )
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if self._training.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.net.parameters(), self._training.clip_norm)
        self._optimiser.step()
        self._update_average()
        self.n_done += 1
        return loss.item()

    @torch.no_grad()
    def validate(self, batches: list[Batch]) -> float:
        """Mean loss of the averaged weights."""
        self.average.eval()
        return sum(self._loss_of(self.average, batch).item() for batch in batches) / len(batches)

    def _loss_of(self, net: SeparationNet, batch: Batch) -> Tensor:
        batch = batch.to(self._device)
        magnitude = batch.mixture.abs().contiguous(memory_format=torch.channels_last)
        return self._loss(net(magnitude), batch.mixture, batch.stems)

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is self.net:
            return
        decay = min(self._training.average_decay, (1 + self.n_done) / (_AVERAGE_WARM_UP + self.n_done))
        for mean, new in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(new, 1 - decay)
            else:
                mean.copy_(new)  # batch norm's counters

    def checkpoint(self) -> Checkpoint:
        """Everything that a later run needs to go on from here."""
        return Checkpoint(
            self.n_done,
            self.best_loss,
            self.net.state_dict(),
            self.average.state_dict(),
            self._optimiser.state_dict(),
        )

    def begin_from(self, state: dict[str, Tensor]) -> None:
        """Begin with these weights instead of random ones (fine-tuning); the optimiser begins anew."""
        self.net.load_state_dict(state)
        self.average.load_state_dict(state)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from there."""
        self.n_done, self.best_loss = checkpoint.n_done, checkpoint.best_loss
        self.net.load_state_dict(checkpoint.net)
        self.average.load_state_dict(checkpoint.average)
        self._optimiser.load_state_dict(checkpoint.optimiser)
