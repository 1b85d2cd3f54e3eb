"""Exhibits about adapters and frozen weights: LoRA that is not nothing at first, not off, not merged, not trained."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from linnet.prove.adapters import adapter_off_is_base, merged_equals_unmerged, new_adapter_changes_nothing
from linnet.prove.gradients import every_trainable_parameter_gets_gradient, frozen_parameters_get_none
from linnet.prove.parts import Adapter, Rows
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import HIDDEN, VOCABULARY, Decoder, fill, next_token_loss, norm, plain

RANK, ALPHA = 2, 8


class Lora(nn.Module):
    """A linear layer with a low-rank part beside it (LoRA, Hu et al. 2021), which can be switched off."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        self.linear, self.on = linear, True
        draw = torch.Generator().manual_seed(3)
        self.down = nn.Parameter(torch.randn(RANK, linear.in_features, generator=draw) / 4)
        self.up = nn.Parameter(torch.zeros(linear.out_features, RANK))

    def forward(self, x: Tensor) -> Tensor:
        beside = x @ self.down.T @ self.up.T * (ALPHA / RANK)
        return self.linear(x) + beside if self.on else self.linear(x)


def learn(lora: Lora) -> None:
    """Put random numbers where a training would have put what it learned."""
    nn.init.normal_(lora.up, std=0.1, generator=torch.Generator().manual_seed(4))


def with_lora() -> tuple[Decoder, Lora]:
    """Return a decoder with an adapter on its head, and the adapter."""
    model = Decoder()
    lora = Lora(model.head)
    model.head = lora
    return model, lora


@exhibit(new_adapter_changes_nothing)
def an_adapter_that_is_not_nothing_at_first(wrong: bool) -> Subject:
    """An adapter that is not nothing at first.

    Both matrices of a new adapter were drawn at random, where one has to be zero. Fine-tuning began with a model that
    had been shaken.

    Source: https://github.com/ggml-org/llama.cpp/pull/4082
    """
    model, lora = with_lora()
    if wrong:
        learn(lora)
    return replace(plain(model), adapter=Adapter(base=Decoder(), fresh=model))


@exhibit(merged_equals_unmerged)
def a_merge_without_its_scale(wrong: bool) -> Subject:
    """A merge without its scale.

    The bias of an adapter was folded into the layer without the factor alpha / rank that it had been trained with. The
    merged model was another one unless alpha equals the rank, which it did in all tests.

    Source: https://github.com/huggingface/peft/pull/2489
    """
    model, lora = with_lora()
    learn(lora)
    bias = nn.Parameter(torch.linspace(-1, 1, VOCABULARY))
    lora.register_parameter("bias", bias)
    merged = Decoder()
    merged.head = nn.Linear(HIDDEN, VOCABULARY)
    with torch.no_grad():
        merged.head.weight.copy_(lora.linear.weight + lora.up @ lora.down * ALPHA / RANK)
        merged.head.bias.copy_(bias * (1 if wrong else ALPHA / RANK))
    adapter = Adapter(base=Decoder(), adapted=lambda ids: model(ids) + bias * ALPHA / RANK, merged=merged)
    return replace(plain(model), adapter=adapter)


@exhibit(adapter_off_is_base)
def an_adapter_that_cannot_be_switched_off(wrong: bool) -> Subject:
    """An adapter that cannot be switched off altogether.

    Layers that were trained as a whole beside the low-rank parts stayed in use when the adapter was disabled. What
    was taken for the base model was not, and neither was the reference of whoever trained with it.

    Source: https://github.com/huggingface/peft/issues/493
    """
    model, lora = with_lora()
    learn(lora)
    trained = nn.Linear(HIDDEN, HIDDEN, bias=False)
    fill(trained, seed=5)
    original = model.attention[1].out

    def adapted(ids: Tensor) -> Tensor:
        lora.on, model.attention[1].out = True, trained
        return model(ids)

    def off(ids: Tensor) -> Tensor:
        lora.on, model.attention[1].out = False, trained if wrong else original
        return model(ids)

    return replace(plain(model, adapted), adapter=Adapter(base=Decoder(), adapted=adapted, off=off))


class Checkpoint(torch.autograd.Function):
    """Run a layer without keeping what is inside, and once more on the way back.

    Autograd knows of what is handed in: where nothing of it asks for a gradient, nothing inside is given one.
    """

    @staticmethod
    def forward(ctx, run: Callable[[Tensor], Tensor], x: Tensor, *inside: Tensor) -> Tensor:
        ctx.run, ctx.x, ctx.inside = run, x, inside
        return run(x)

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x = ctx.x.detach().requires_grad_(True)
        with torch.enable_grad():
            again = ctx.run(x)
        return None, *torch.autograd.grad(again, (x, *ctx.inside), gradient)


@exhibit(every_trainable_parameter_gets_gradient)
def checkpoints_that_cut_the_gradient(wrong: bool) -> Subject:
    """Gradient checkpoints that cut off the gradient.

    With frozen embeddings nothing that enters the first block asks for a gradient, and the re-entrant kind of
    checkpoint then gives none to anything inside. Layers in there, such as adapters, are never trained.

    Source: https://github.com/huggingface/transformers/issues/21381
    """

    class Checkpointed(Decoder):
        def hidden(self, x: Tensor, mask: Tensor, places: Tensor) -> Tensor:
            for attention in self.attention:

                def run(x: Tensor, attention: nn.Module = attention) -> Tensor:
                    return x + attention(norm(x), norm(x), mask, places)

                inside = [] if wrong else [weights for weights in attention.parameters() if weights.requires_grad]
                x = Checkpoint.apply(run, x, *inside)
            return norm(x)

    model = Checkpointed()
    model.requires_grad_(False)
    for attention in model.attention:
        attention.out = Lora(attention.out)
        learn(attention.out)
    model.head.requires_grad_(True)
    return replace(plain(model), loss=lambda rows: next_token_loss(model(rows.ids), rows.ids, rows.learned))


@exhibit(frozen_parameters_get_none)
def a_frozen_adapter_that_thaws(wrong: bool) -> Subject:
    """A frozen adapter that thaws.

    Leaving the block in which an adapter is disabled switched it on again, and its gradients too, whether it had been
    frozen or not. An adapter that was loaded for use only could be trained from then on.

    Source: https://github.com/huggingface/peft/issues/3447
    """
    model, lora = with_lora()
    learn(lora)
    lora.requires_grad_(False)
    extra = nn.Parameter(torch.zeros(VOCABULARY))
    model.register_parameter("extra", extra)

    def loss(rows: Rows) -> Tensor:
        lora.on = False
        with torch.no_grad():
            reference = model(rows.ids)
        lora.on = True
        if wrong:
            lora.up.requires_grad_(True)
        return next_token_loss(model(rows.ids) + extra + 0 * reference, rows.ids, rows.learned)

    return replace(plain(model), loss=loss)
