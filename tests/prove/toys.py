"""A training of a few lines that is right, to be broken one part at a time."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.parts import Trace, Training
from linnet.prove.subject import Subject

VOCABULARY, SIZE, LR = 13, 6, 0.5


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Embedding(VOCABULARY, SIZE), nn.Dropout(0.3), nn.Linear(SIZE, VOCABULARY))


def schedule(step: int) -> float:
    return LR / (1 + step)


def gradients(batches, clip: float, wrong: str = "") -> dict[str, Tensor]:
    """Return the mean gradient over all learned tokens of the batches, clipped; `wrong` says how it is not."""
    model = network().eval()
    count = sum(int(rows.learned[:, 1:].sum()) for rows in batches)
    scale = 64.0 if wrong == "clipped before unscaling" else 1.0
    for rows in batches:
        labels = torch.where(rows.learned, rows.ids, -100)[:, 1:].flatten()
        logits = model(rows.ids[:, :-1]).flatten(0, 1)
        reduced = F.cross_entropy(logits, labels, reduction="mean" if wrong == "mean of means" else "sum")
        share = len(batches) if wrong == "mean of means" else count
        (scale * reduced / share).backward()
    parameters = list(model.parameters())
    if clip and wrong != "not clipped":
        torch.nn.utils.clip_grad_norm_(parameters, clip * (2 if wrong == "twice the bound" else 1))
    return {name: p.grad / scale for name, p in model.named_parameters()}


class Lasting:
    """Gradients that were never cleared."""

    def __init__(self):
        self.sum: dict[str, Tensor] = {}

    def __call__(self, batches, clip):
        for name, grad in gradients(batches, clip).items():
            self.sum[name] = self.sum.get(name, 0) + grad
        return dict(self.sum)


def run(steps: int, killed_after: int | None, wrong: str = "") -> Trace:
    """Train with momentum and dropout; a kill keeps what is saved and forgets the rest."""
    pool = torch.randint(0, VOCABULARY, (12, 4, 5), generator=torch.Generator().manual_seed(1))
    model, seen, rates = network(), [], []
    if wrong == "frozen by mistake":
        model[2].bias.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], LR, momentum=0.9)
    step = place = 0
    while step < steps:
        if step == killed_after and killed_after is not None:
            place = {"replays": 0, "skips": place + 1}.get(wrong, place)
            if wrong == "forgets the optimizer":
                optimizer.state.clear()
            if wrong == "forgets the dice":
                torch.manual_seed(7)
            killed_after = None
        batch = pool[place % len(pool)]
        seen.append(batch)
        now = {"stepped twice": 2 * step, "steps by batch": 4 * step, "constant": 0}.get(wrong, step)
        for group in optimizer.param_groups:
            group["lr"] = schedule(now)
        rates.append(optimizer.param_groups[0]["lr"])
        if wrong == "random":
            torch.seed()
        optimizer.zero_grad()
        F.cross_entropy(model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten()).backward()
        if wrong == "moves the frozen":
            model[0].weight.data.mul_(0.99)
        optimizer.step()
        step, place = step + 1, place + 1
    return Trace({name: p.detach().clone() for name, p in model.named_parameters()}, seen, rates)


def training(wrong: str = "", **changes) -> Subject:
    """Return the toy as a subject, wrong in one way."""
    model = network().eval()
    parts = Training(
        run=lambda steps, killed: run(steps, killed, wrong),
        gradients=Lasting() if wrong == "not cleared" else lambda batches, clip: gradients(batches, clip, wrong),
        schedule=schedule,
    )
    return Subject("toy", model, VOCABULARY, model, training=replace(parts, **changes))
