"""The Lovász hinge against a plain restatement of its definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vosbench_eosvos.losses import jaccard_increments, lovasz_hinge, mask_loss


def plain_lovasz(logits, labels):
    """sum_i error_(i) * (J(first i wrong) - J(first i - 1 wrong)), errors in decreasing order."""
    errors = 1 - logits * (2 * labels - 1)
    order = sorted(range(len(errors)), key=lambda i: -errors[i])

    def jaccard_loss(wrong):
        truth = {i for i in range(len(labels)) if labels[i]}
        answer = truth ^ set(wrong)
        union = truth | answer
        return 1 - len(truth & answer) / len(union) if union else 0.0

    total = 0.0
    for n, i in enumerate(order):
        step = jaccard_loss(order[: n + 1]) - jaccard_loss(order[:n])
        total += max(errors[i], 0) * step
    return total


rows = st.integers(1, 12).flatmap(
    lambda n: st.tuples(
        st.lists(st.floats(-4, 4, width=32), min_size=n, max_size=n, unique=True),
        st.lists(st.integers(0, 1), min_size=n, max_size=n),
    )
)


@settings(max_examples=80)
@given(rows)
def test_lovasz_hinge_is_its_definition(row):
    logits, labels = (np.array(v, np.float64) for v in row)
    found = lovasz_hinge(torch.tensor(logits)[None], torch.tensor(labels)[None])
    assert found.item() == pytest.approx(plain_lovasz(logits, labels), abs=1e-9)


def test_rows_are_independent():
    torch.manual_seed(0)
    logits, labels = torch.randn(5, 30), (torch.rand(5, 30) > 0.6).float()
    together = lovasz_hinge(logits, labels)
    apart = [lovasz_hinge(logits[i : i + 1], labels[i : i + 1])[0] for i in range(5)]
    torch.testing.assert_close(together, torch.stack(apart))


def test_increments_sum_to_one_whether_or_not_there_is_an_object():
    labels = torch.tensor([[0.0, 0, 0], [1, 1, 1], [0, 1, 0]])
    torch.testing.assert_close(jaccard_increments(labels).sum(1), torch.ones(3))


@pytest.mark.parametrize("kind", ["lovasz", "cross_entropy"])
def test_ignored_pixels_change_neither_loss_nor_gradient(kind):
    torch.manual_seed(1)
    logits = torch.randn(2, 4, 4)
    targets = (torch.rand(2, 4, 4) > 0.5).float()
    targets[:, 2:] = torch.nan

    def loss_and_gradient(values):
        values = values.clone().requires_grad_()
        loss = mask_loss(values, targets, kind)
        return loss.detach(), torch.autograd.grad(loss, values)[0]

    changed = logits.clone()
    changed[:, 2:] += 7
    loss, gradient = loss_and_gradient(logits)
    other, _ = loss_and_gradient(changed)
    assert torch.isfinite(loss)
    torch.testing.assert_close(loss, other)
    assert not gradient[:, 2:].any()
    torch.testing.assert_close(loss, mask_loss(logits[:, :2], targets[:, :2], kind))


def test_no_rois_give_zero_with_a_graph():
    logits = torch.zeros(0, 8, 8, requires_grad=True)
    loss = mask_loss(logits, torch.zeros(0, 8, 8), "lovasz")
    assert loss.item() == 0
    torch.autograd.backward(loss)
