"""State space duality: the selective scan of Mamba-2 as matrix products (Dao and Gu, ICML 2024, arXiv 2405.21060).

A head with the scalar decay a carries a state h of N x P along a sequence:

    h_t = exp(dt_t a) h_{t-1} + dt_t b_t x_t^T,    y_t = c_t^T h_t.

`recurrence` is these two lines, one token after the other: it says what is meant. `ssd` gives the same by products of
small matrices (section 6 of the paper). Within a chunk of Q tokens y is a masked product, as in attention; from chunk
to chunk only the states are handed on.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def recurrence(x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The scan as it is written, one token at a time from the state 0: for reference, thousands of steps are slow.

    Args:
        x: (B, L, R, P), R heads of P channels.
        dt: (B, L, R) steps, 0 or more.
        a: (R,) logarithm of the decay per unit step, below 0.
        b: (B, L, N), how a token enters the state, the same for all heads.
        c: (B, L, N), how a token reads it.

    Returns:
        y, (B, L, R, P).
    """
    state = x.new_zeros(x.shape[0], *x.shape[2:], b.shape[-1])
    outputs = []
    for t in range(x.shape[1]):
        entering = (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, None, None]
        state = (dt[:, t] * a).exp()[..., None, None] * state + entering
        outputs.append((state * c[:, t, None, None]).sum(-1))
    return torch.stack(outputs, dim=1)


def ssd(
    x: Tensor,
    dt: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    *,
    chunk: int = 64,
    block: int | None = None,
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The scan, some chunks at a time; what it needs besides x and y depends on `block`, not on L.

    Computed in float32 at least, whatever comes in. L is padded to whole chunks with steps of 0, which leave the state
    as it is; the chunk never shrinks to fit.

    Args:
        x: (B, L, R, P), R heads of P channels.
        dt: (B, L, R) steps, 0 or more.
        a: (R,) logarithm of the decay per unit step, below 0.
        b: (B, L, N), how a token enters the state, the same for all heads.
        c: (B, L, N), how a token reads it.
        chunk: Q, tokens that meet in one matrix.
        block: chunks held at the same time; None for all.
        state: (B, R, N, P) before the first token; None for 0.

    Returns:
        y (B, L, R, P) and the state (B, R, N, P) after the last token, to go on from.

    Raises:
        ValueError: if `chunk` or `block` is below 1.
    """
    if chunk < 1 or (block is not None and block < 1):
        raise ValueError(f"chunk is {chunk}, block {block}; both must be 1 or more")
    with torch.autocast(x.device.type, enabled=False):
        wide = torch.promote_types(x.dtype, torch.float32)
        x, dt, a, b, c = (part.to(wide) for part in (x, dt, a, b, c))
        if state is None:
            state = x.new_zeros(x.shape[0], x.shape[2], b.shape[-1], x.shape[3])
        length = x.shape[1]
        span = chunk * block if block is not None else max(length, 1)
        outputs = []
        for start in range(0, length, span):
            part = slice(start, min(start + span, length))
            y, state = _scan(x[:, part] * dt[:, part, :, None], dt[:, part] * a, (b[:, part], c[:, part]), state, chunk)
            outputs.append(y)
    return (torch.cat(outputs, dim=1) if len(outputs) > 1 else outputs[0]), state


def _scan(
    entering: Tensor, log_decay: Tensor, maps: tuple[Tensor, Tensor], state: Tensor, chunk: int
) -> tuple[Tensor, Tensor]:
    """One block of Z chunks: dt x (B, L, R, P), dt a (B, L, R), b, c and the state before, to y and the state after."""
    length = entering.shape[1]
    u, (b, c) = _chunks(entering, chunk), (_chunks(part, chunk) for part in maps)
    passed = _chunks(log_decay, chunk).cumsum(2)  # (B, Z, Q, R), from the chunk's begin to after each token
    total = passed[:, :, -1]  # (B, Z, R)

    met = _decay_between(passed.transpose(2, 3)) * (c @ b.transpose(2, 3))[:, :, None]  # (B, Z, R, Q, Q)
    within = (met @ u.transpose(2, 3)).transpose(2, 3)  # (B, Z, Q, R, P)

    left = u * (total[:, :, None] - passed).exp()[..., None]
    made = b.transpose(2, 3) @ left.flatten(3)  # (B, Z, N, R P): what each chunk adds to the state
    before, after = _hand_on(torch.unflatten(made, 3, u.shape[3:]), total, state)
    carried = torch.unflatten(c @ before.flatten(3), 3, u.shape[3:]) * passed.exp()[..., None]
    return (within + carried).flatten(1, 2)[:, :length], after


def _hand_on(made: Tensor, total: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    """States before each of Z chunks, (B, Z, N, R, P), and after the last, (B, R, N, P).

    Args:
        made: (B, Z, N, R, P), what each chunk adds.
        total: (B, Z, R), logarithm of each chunk's decay.
        state: (B, R, N, P) before the first chunk.
    """
    sources = torch.cat([state.transpose(1, 2)[:, None], made], dim=1)  # (B, Z + 1, N, R, P)
    decay = _decay_between_chunks(F.pad(total, (0, 0, 1, 0)).transpose(1, 2))  # (B, R, Z + 1, Z + 1)
    states = decay @ sources.permute(0, 3, 1, 2, 4).flatten(3)  # (B, R, Z + 1, N P)
    states = torch.unflatten(states, 3, (made.shape[2], made.shape[4]))
    return states[:, :, :-1].permute(0, 2, 3, 1, 4), states[:, :, -1]


def _chunks(sequence: Tensor, chunk: int) -> Tensor:
    """(B, L, ...) to (B, Z, Q, ...), padded with zeros."""
    missing = -sequence.shape[1] % chunk
    if missing:
        sequence = torch.cat([sequence, sequence.new_zeros(sequence.shape[0], missing, *sequence.shape[2:])], dim=1)
    return torch.unflatten(sequence, 1, (-1, chunk))


def _decay_between(passed: Tensor) -> Tensor:
    """exp(passed_i - passed_j) for i >= j, 0 above the diagonal; (..., Q) to (..., Q, Q)."""
    exponent = passed[..., :, None] - passed[..., None, :]
    # the mask before the exponential: above the diagonal it may overflow, and 0 times infinity has no gradient
    return exponent.masked_fill(~_lower(exponent, 0), -torch.inf).exp()


def _decay_between_chunks(steps: Tensor) -> Tensor:
    """exp(sum of steps_k, j < k <= i) for i >= j, 0 above the diagonal; (..., Z) to (..., Z, Z).

    Summed up anew for each j: over many chunks the difference of two long sums would have lost its last digits.
    """
    spread = steps[..., :, None].expand(*steps.shape, steps.shape[-1])
    exponent = spread.masked_fill(~_lower(spread, -1), 0.0).cumsum(-2)
    return exponent.masked_fill(~_lower(spread, 0), -torch.inf).exp()


def _lower(like: Tensor, diagonal: int) -> Tensor:
    return torch.ones(like.shape[-2:], dtype=torch.bool, device=like.device).tril(diagonal)
