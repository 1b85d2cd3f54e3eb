"""Exhibits about a training step: accumulation, clipping, the schedule, and which weights move."""

from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from linnet.prove.parts import Rows
from linnet.prove.subject import Subject
from linnet.prove.training import (
    accumulation_at_any_split,
    clipping_bounds_the_true_gradient,
    every_trainable_weight_moves,
    schedule_counts_optimizer_steps,
)
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, next_token_loss
from tests.museum.trainer import Trainer, scheduled, stepped, trained

FP16_SCALE = 1024.0


def summed(model: Decoder, rows: Rows) -> Tensor:
    """Return the sum of the losses of the learned tokens."""
    return next_token_loss(model(rows.ids), rows.ids, rows.learned) * rows.learned[:, 1:].sum()


@exhibit(accumulation_at_any_split)
def a_mean_of_means(wrong: bool) -> Subject:
    """A mean of means in accumulation.

    Each small batch was divided by its own number of learned tokens, and the results by the number of batches. Tokens
    of batches with few of them weighed more, so that one row at a time gave another training than all at once.

    Source: https://github.com/huggingface/transformers/pull/34191
    """

    def gradients(model: Decoder, batches: Sequence[Rows], bound: float) -> None:
        learned = sum(int(rows.learned[:, 1:].sum()) for rows in batches)
        for rows in batches:
            mean = next_token_loss(model(rows.ids), rows.ids, rows.learned) / len(batches)
            (mean if wrong else summed(model, rows) / learned).backward()

    return stepped(gradients)


@exhibit(accumulation_at_any_split)
def accumulated_and_not_divided(wrong: bool) -> Subject:
    """Accumulated and not divided.

    Losses of small batches were added up without dividing by their number. Adam forgives a gradient of another size;
    the bound of the clipping does not, and was silently lower.

    Source: https://github.com/karpathy/nanoGPT/issues/168
    """

    def gradients(model: Decoder, batches: Sequence[Rows], bound: float) -> None:
        learned = sum(int(rows.learned[:, 1:].sum()) for rows in batches)
        for rows in batches:
            own = int(rows.learned[:, 1:].sum())
            (summed(model, rows) / (own if wrong else learned)).backward()

    return stepped(gradients)


@exhibit(clipping_bounds_the_true_gradient)
def clipping_before_unscaling(wrong: bool) -> Subject:
    """Clipping before unscaling.

    In half precision the loss is multiplied, so that small gradients survive, and these were clipped before they were
    divided again. The bound held a number thousands of times too large: steps became tiny and the curve flat.

    Source: https://github.com/Lightning-AI/pytorch-lightning/issues/9599
    """

    def gradients(model: Decoder, batches: Sequence[Rows], bound: float) -> None:
        learned = sum(int(rows.learned[:, 1:].sum()) for rows in batches)
        for rows in batches:
            (summed(model, rows) / learned * FP16_SCALE).backward()
        if wrong and bound:
            nn.utils.clip_grad_norm_(model.parameters(), bound)
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad /= FP16_SCALE
        if bound and not wrong:
            nn.utils.clip_grad_norm_(model.parameters(), bound)

    return stepped(gradients)


@exhibit(schedule_counts_optimizer_steps)
def a_schedule_stepped_twice(wrong: bool) -> Subject:
    """A schedule stepped more than once a step.

    A scheduler that already counted the steps of all processes was wrapped into one that steps it once a process. The
    learning rate ran through its schedule as many times too fast as there were processes.

    Source: https://github.com/huggingface/transformers/pull/24088
    """

    class Hasty(Trainer):
        def rate(self) -> float:
            return scheduled(self.step * 2 if wrong else self.step)

    return trained(Hasty)


@exhibit(every_trainable_weight_moves)
def weights_that_the_optimizer_was_not_given(wrong: bool) -> Subject:
    """Weights that the optimizer was not given.

    Groups of parameters with learning rates of their own were made and the last was never added to the list. Its
    weights stayed as they had been drawn.

    Source: https://github.com/zjunlp/HVPNeT/issues/5
    """

    class Forgetful(Trainer):
        def parameters(self) -> Iterable[nn.Parameter]:
            groups = [[*self.model.tokens.parameters(), *self.model.positions.parameters()]]
            groups += [[*self.model.attention.parameters(), *self.model.mlp.parameters()]]
            head = [*self.model.head.parameters()]
            if not wrong:
                groups.append(head)
            return [parameter for group in groups for parameter in group]

    return trained(Forgetful)


@exhibit(every_trainable_weight_moves)
def weights_frozen_too_late(wrong: bool) -> Subject:
    """Weights frozen too late.

    Weights were frozen within the optimizer's first step, when their gradients had been worked out already. What has a
    gradient is moved.

    Source: https://github.com/neuralmagic/sparseml/issues/965
    """

    class Late(Trainer):
        def __init__(self) -> None:
            super().__init__()
            self.model.tokens.requires_grad_(wrong)

        def before_step(self) -> None:
            self.model.tokens.requires_grad_(False)

    return trained(Late, frozen=("tokens.weight",))
