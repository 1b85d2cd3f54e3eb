"""The quick invariants of a network, asked before a long training begins: what is broken is found in seconds."""

import torch

from linnet.core.console import logger
from linnet.core.errors import Failed
from linnet.model.network import Network
from linnet.prove.invariants import QUICK
from linnet.prove.ours_networks import network_subject
from linnet.prove.proof import prove
from linnet.prove.subject import Subject

LONG = 200  # steps: a training of fewer shows what is wrong with it as fast


def prove_before_training(model: Network, steps: int, seed: int = 0, trained: bool = False) -> None:
    """Put the quick invariants to a network when the training is long; raises Failed naming those broken.

    One that is `trained` before need not start at a loss of ln V. Weights, gradients, modes and torch's random
    generators are left as they were.
    """
    if steps >= LONG:
        verdicts = check(network_subject(model, "the network", trained), seed)
        logger.info("proved before training: %d invariants hold", verdicts)


@torch.enable_grad()
def check(subject: Subject, seed: int = 0) -> int:
    """Return how many of the quick invariants hold; raises Failed in one line when one is broken."""
    verdicts = prove(subject, QUICK, seed)
    if found := [verdict for verdict in verdicts if verdict.status == "broken"]:
        names = ", ".join(verdict.invariant for verdict in found)
        raise Failed(f"{subject.name} is not trained, it is broken: {names} ({found[0].evidence})")
    return sum(verdict.status == "held" for verdict in verdicts)
