"""DPO: learn from pairs of a better and a worse answer, without a reward model and without sampling."""

import numpy as np

from linnet.by_hand.activations import sigmoid
from linnet.by_hand.operation import Array, Back
from linnet.by_hand.softmax import IGNORE, log_softmax


def answer_log_probability(logits: Array, targets: Array, ignore: int = IGNORE) -> tuple[Array, Back]:
    """Return the log-probability [B] of each row's learned targets [B, T] under logits [B, T, V]; a prompt is ignored.

    A sum over the learned places: dlogits is that of `log_softmax` for dy of the row at its target, zero elsewhere.
    """
    learned = targets != ignore
    places = np.where(learned, targets, 0)[..., None]
    logs, back_logs = log_softmax(logits)
    y = (np.take_along_axis(logs, places, -1)[..., 0] * learned).sum(-1)

    def back(dy: Array) -> Array:
        dlogs = np.zeros_like(logs)
        np.put_along_axis(dlogs, places, (dy[:, None] * learned)[..., None], -1)
        return back_logs(dlogs)

    return y, back


def dpo_loss(
    chosen: Array, rejected: Array, reference_chosen: Array, reference_rejected: Array, beta: float
) -> tuple[tuple[float, int], Back]:
    """Return the summed DPO loss of the pairs and how many there are (Rafailov et al. 2023, equation 7).

    All four are log-probabilities of answers [B], by the policy and by the frozen reference. With the margin
    m = beta ((chosen - reference_chosen) - (rejected - reference_rejected)) the loss is -log sigmoid(m), ln 2 where
    the policy still is the reference. (log sigmoid(m))' = sigmoid(-m), so dchosen = -beta sigmoid(-m) and drejected
    is its opposite: both answers are moved, most of all where the order is still wrong.
    `back(dtotal)` returns (dchosen, drejected).
    """
    margin = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    total = float(np.logaddexp(0.0, -margin).sum())
    wrong, _ = sigmoid(-margin)

    def back(dtotal: float = 1.0) -> tuple[Array, Array]:
        dchosen = -dtotal * beta * wrong
        return dchosen, -dchosen

    return (total, len(margin)), back
