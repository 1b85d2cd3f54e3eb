"""Exhibits about runs that go on and models that come back: data, optimizers, dice, tied and forgotten weights."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from linnet.prove.resuming import (
    resume_equals_uninterrupted,
    resume_neither_replays_nor_skips,
    training_is_deterministic,
)
from linnet.prove.storing import saved_and_loaded_is_equal, tied_weights_are_one
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, fill, plain
from tests.museum.trainer import BATCH, ROWS, Trainer, trained


@exhibit(resume_neither_replays_nor_skips)
def a_resume_that_replays_the_data(wrong: bool) -> Subject:
    """A resume that replays the data.

    The state of the data loader was never handed to what writes checkpoints. Every resume began the data anew: its
    first part was learned twice, its last never.

    Source: https://github.com/KempnerInstitute/KempnerForge/issues/51
    """

    class Replaying(Trainer):
        begun = 0

        def batch(self) -> Tensor:
            epoch, place = divmod(self.step - self.begun, ROWS // BATCH)
            return self.rows[self.order(epoch)[place * BATCH :][:BATCH]]

        def load(self, state: dict) -> None:
            super().load(state)
            self.begun = self.step if wrong else 0

    return trained(Replaying)


@exhibit(resume_neither_replays_nor_skips)
def a_resume_in_the_order_of_another_epoch(wrong: bool) -> Subject:
    """A resume in the order of another epoch.

    The loader that a resume builds anew did not get the number of the epoch, and took the order of the first. The rest
    of the epoch held rows that it had seen and left out others.

    Source: https://github.com/modelscope/ms-swift/issues/10050
    """

    class Reordered(Trainer):
        resumed = False

        def order(self, epoch: int) -> Tensor:
            return super().order(0 if wrong and self.resumed else epoch)

        def load(self, state: dict) -> None:
            super().load(state)
            self.resumed = True

    return trained(Reordered)


@exhibit(resume_equals_uninterrupted)
def an_optimizer_that_forgets(wrong: bool) -> Subject:
    """An optimizer that forgets.

    The moments of AdamW were saved, and dropped on loading, since a new optimizer has no place for them before its
    first step. Everything else was restored; the run went on as another one.

    Source: https://github.com/KempnerInstitute/KempnerForge/pull/115
    """

    class Forgetful(Trainer):
        def load(self, state: dict) -> None:
            kept = {**state["optimizer"], "state": {}} if wrong else state["optimizer"]
            super().load({**state, "optimizer": kept})

    return trained(Forgetful)


@exhibit(training_is_deterministic)
def an_order_without_a_seed(wrong: bool) -> Subject:
    """An order without a seed.

    The data set was shuffled without a seed, whatever seed the run was given. No two runs saw their data in the same
    order, and no result could be repeated.

    Source: https://github.com/meta-pytorch/torchforge/pull/609
    """

    class Unseeded(Trainer):
        def order(self, epoch: int) -> Tensor:
            return torch.randperm(ROWS) if wrong else super().order(epoch)

    return trained(Unseeded)


@exhibit(saved_and_loaded_is_equal)
def layers_that_nobody_knows_of(wrong: bool) -> Subject:
    """Layers that nobody knows of.

    The layers of a network were kept in a plain list, which hides them from it. They were neither trained nor saved,
    and more layers had no more parameters.

    Source: https://github.com/maruya24/pytorch_robotics_transformer/issues/3
    """

    def network(seed: int) -> Decoder:
        model = Decoder()
        fill(model, seed)
        layers = list(model.mlp)
        if wrong:
            del model.mlp
            model.mlp = layers
        return model

    return _saved(network)


@exhibit(tied_weights_are_one)
def a_tied_head_that_comes_back_alone(wrong: bool) -> Subject:
    """A tied head that comes back alone.

    A checkpoint of a model with tied embeddings holds no head of its own, and the loader had no rule for that. The
    head stayed at its random numbers, without an error or a warning, and every answer was garbage.

    Source: https://github.com/vllm-project/vllm/pull/53020
    """

    def network(seed: int) -> Decoder:
        model = Decoder()
        fill(model, seed)
        if seed == 0 or not wrong:
            model.head.weight = model.tokens.weight
        return model

    return replace(_saved(network, without="head.weight"), tied=(("head.weight", "tokens.weight"),))


@exhibit(saved_and_loaded_is_equal)
def a_head_left_out_because_it_is_said_to_be_tied(wrong: bool) -> Subject:
    """A head left out because it is said to be tied.

    The config said that head and embedding are one, the tensors were two, and saving went by the config. The head that
    had been trained was dropped, and the embedding came back in its place.

    Source: https://github.com/NVIDIA-NeMo/Automodel/pull/2511
    """

    def network(seed: int) -> Decoder:
        model = Decoder()
        fill(model, seed)
        if seed != 0 and wrong:
            model.head.weight = model.tokens.weight
        return model

    return _saved(network, without="head.weight" if wrong else "")


def _saved(network: Callable[[int], Decoder], without: str = "") -> Subject:
    """Return the subject of a network that is saved, without one of its weights, and loaded into a new one."""
    model = network(0)

    def reloaded() -> Subject:
        other = network(1)
        saved = {name: weights.clone() for name, weights in model.state_dict().items() if name != without}
        other.load_state_dict(saved, strict=False)
        return plain(other)

    return replace(plain(model), reloaded=reloaded)
