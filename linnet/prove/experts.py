"""Mixtures of experts: routers that learn, experts that work, padding that is nobody's.

B rows, T tokens, L layers with experts, E experts.
"""

import torch

from linnet.prove.measuring import all_learned, cross_entropy, gradients, mean_loss, ragged_lengths, random_ids, shaken
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, held, judged, not_applicable

# A router's gradient that is rounding only stays below this share of the usual gradient; a real one is near it.
REAL_SHARE = 1e-4
NONE_GIVEN = "no mixture of experts was given"


def router_gets_gradient(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the cross-entropy alone reach every router.

    Why: weights of the chosen experts that are normalised to 1 with one expert a token cancel the router: it is
    moved by its balance loss only, and learns to spread tokens, not to choose.

    Measured: the cross-entropy of random rows, without a balance loss, backwards; each router's gradient beside the
    median of all, with shaken weights where the present ones hide it.
    """
    if subject.experts is None:
        return not_applicable(NONE_GIVEN)
    shares = _router_shares(subject, draw)
    said = ""
    if min(shares.values()) <= REAL_SHARE:
        said = " (weights shaken)"
        with shaken(subject.model, draw):
            shares = _router_shares(subject, draw)
    name = min(shares, key=lambda name: shares[name])
    evidence = f"the least gradient, of {name}, is {shares[name]:.1e} of the usual; {len(shares)} routers{said}"
    return judged(shares[name] > REAL_SHARE, evidence)


@torch.no_grad()
def no_dead_expert(subject: Subject, draw: torch.Generator) -> Finding:
    """Let every expert be asked for some tokens.

    Why: an expert that is never asked never learns, and so is never asked: its weights are ballast.

    Measured: the load of each expert over many tokens, of the examples where there are some, else random ones.
    """
    if subject.experts is None:
        return not_applicable(NONE_GIVEN)
    if subject.examples:
        load = torch.stack([subject.experts.load(rows.ids.to(subject.device)) for rows in subject.examples]).sum(0)
    else:
        load = subject.experts.load(random_ids(subject, draw, 4, 64))
        for _ in range(max(3, load.shape[1] // 4)):
            load = load + subject.experts.load(random_ids(subject, draw, 4, 64))
    dead = (load == 0).nonzero().tolist()
    least = float((load / load.sum(1, keepdim=True)).min())
    if dead:
        layer, expert = dead[0]
        evidence = f"expert {expert} of mixture {layer} was asked for none of {int(load[layer].sum())} places"
        return judged(False, f"{evidence}; {len(dead)} of {load.numel()} experts are dead")
    return held(f"the least asked of {load.numel()} experts gets {100 * least:.1f}% of {int(load[0].sum())} places")


@torch.no_grad()
def padding_is_not_routed(subject: Subject, draw: torch.Generator) -> Finding:
    """Let no expert be given padding.

    Why: padding takes room and counts as load: how tokens are routed would depend on the longest row of the batch.

    Measured: the load of a padded batch, all experts together, against the number of its real tokens.
    """
    if subject.experts is None or subject.experts.padded_load is None:
        return not_applicable("no load of padded batches was given")
    ids = random_ids(subject, draw, 4)
    lengths = ragged_lengths(ids.shape[1], 4)
    each = subject.experts.load(ids).sum(1) / ids.numel()  # experts a token
    routed = subject.experts.padded_load(ids, lengths.to(ids.device)).sum(1)
    right = each * int(lengths.sum())
    evidence = (
        f"{int(lengths.sum())} real tokens of {ids.numel()} take {routed.tolist()} places, {right.tolist()} is right"
    )
    return judged(bool((routed - right).abs().max() < 0.5), evidence)


@torch.no_grad()
def balance_ignores_padding(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the balance loss be that of the real tokens.

    Why: a balance loss that counts padding asks the routers to spread padding, and presses real tokens aside.

    Measured: the balance loss of rows, and of the same rows filled up to twice their length with one id.
    """
    if subject.experts is None or subject.experts.balance is None:
        return not_applicable("no balance loss was given")
    ids = random_ids(subject, draw, 4)
    half = ids.shape[1] // 2
    lengths = torch.full((4,), half, device=ids.device)
    ids[:, half:] = ids[0, 0]
    alone = float(subject.experts.balance(ids[:, :half], lengths))
    padded = float(subject.experts.balance(ids, lengths))
    evidence = f"{alone:.6f} for rows of {half} tokens, {padded:.6f} with as much padding"
    return judged(abs(padded - alone) <= 1e-4 * max(1e-6, abs(alone)), evidence)


def _router_shares(subject: Subject, draw: torch.Generator) -> dict[str, float]:
    """Return the root mean square of each router's gradient, as a share of the median one of all parameters."""
    assert subject.experts is not None
    rows = all_learned(random_ids(subject, draw, 8, 32))
    # Of a language model without the balance loss that training may add: that would reach every router by itself.
    loss = cross_entropy(subject.logits(rows.ids), rows).mean() if subject.judging is None else mean_loss(subject, rows)
    found = gradients(loss, subject.model)
    sizes = {name: 0.0 if grad is None else float(grad.square().mean().sqrt()) for name, grad in found.items()}
    usual = float(torch.tensor([size for size in sizes.values() if size > 0] or [1.0]).median())
    return {name: sizes.get(name, 0.0) / usual for name in subject.experts.routers}
