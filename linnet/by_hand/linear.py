"""The linear layer, x times a matrix plus a bias: where nearly all of a network's weights and arithmetic are."""

from linnet.by_hand.operation import Array, Back, Params, sum_to


def linear(x: Array, w: Array, b: Array | None = None) -> tuple[Array, Back]:
    """Return y = x w^T + b, [..., O] for x [..., I], w [O, I] (the layout of torch.nn.Linear) and b [O].

    y_no = sum_i x_ni w_oi + b_o, so each product sends dy to one factor times the other:
    dx = dy w, dw = dy^T x summed over all rows n, db = dy summed over all rows.
    `back` returns (dx, dw), and db with a bias. Raises ValueError when x and w do not fit.
    """
    if x.shape[-1] != w.shape[1]:
        raise ValueError(f"x has {x.shape[-1]} numbers a row and w of shape {w.shape} takes {w.shape[1]}")
    y = x @ w.T if b is None else x @ w.T + b

    def back(dy: Array) -> tuple[Array, ...]:
        rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        dx, dw = dy @ w, drows.T @ rows
        return (dx, dw) if b is None else (dx, dw, sum_to(dy, b.shape))

    return y, back


def project(x: Array, params: Params, name: str) -> tuple[Array, Back]:
    """Apply the linear layer `w` + name of a dictionary, with the bias `b` + name where it has one.

    `back` returns (dx, dparams), where dparams holds this layer's keys only.
    """
    keys = [key for key in ("w" + name, "b" + name) if key in params]
    y, back_linear = linear(x, *(params[key] for key in keys))

    def back(dy: Array) -> tuple[Array, Params]:
        dx, *dweights = back_linear(dy)
        return dx, dict(zip(keys, dweights, strict=True))

    return y, back
