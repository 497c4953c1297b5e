"""Fine-tuning: the fast path against the plain one, and what its answer may depend on."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from vosbench_eosvos.finetune import cycle, fine_tune, join, loss_of, make_example, to_tensor
from vosbench_learning.seeds import derive_seed


@pytest.fixture
def model(tiny):
    return tiny.build_model()


@pytest.fixture
def examples(model, tiny, scene):
    frames, masks = scene()
    depth = model.frozen_depth(tiny.initial_parameters(drop_frozen=True))
    return [make_example(model, f.image, m[1], depth) for f, m in zip(frames, masks, strict=True)]


def last(run):
    *_, (_, params) = run
    return params


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[n], b[n]) for n in a)


def test_the_fast_path_gives_what_the_plain_one_gives(tiny, model, scene):
    """Cached features and left-out rates against SGD on every parameter from the pixels up."""
    frames, masks = scene()
    start = tiny.initial_parameters(drop_frozen=True)
    depth = model.frozen_depth(start)
    assert depth == 5 and len(start) < len(tiny.learning)
    example = make_example(model, frames[0].image, masks[0][1], depth)
    fast = last(fine_tune(model, tiny, start, cycle([example]), at=(3,), seed=7))

    image = to_tensor(frames[0].image, torch.device("cpu"))
    plain = tiny.initial_parameters()
    for step in range(3):
        torch.manual_seed(derive_seed(7, step))
        losses = functional_call(model, plain, (image, example.targets))
        grads = torch.autograd.grad(
            sum(losses.values()), list(plain.values()), materialize_grads=True, allow_unused=True
        )
        plain = tiny.step(plain, dict(zip(plain, grads, strict=True)))
    for name, value in plain.items():
        before = tiny.state[name]
        if name in fast:
            assert torch.allclose(fast[name], value, rtol=1e-4, atol=1e-6), name
        else:
            assert torch.equal(before, value), name
    moved = [n for n in fast if not torch.equal(fast[n], tiny.state[n])]
    assert len(moved) > len(fast) / 2


def test_losses_fall(tiny, model, examples):
    def loss(params):
        torch.manual_seed(0)
        target = examples[0].targets[0]
        with torch.no_grad():
            losses = functional_call(model, params, (examples[0].features, [target]))
        return float(sum(losses.values()))

    start = tiny.initial_parameters(drop_frozen=True)
    after = last(fine_tune(model, tiny, start, cycle(examples[:1]), at=(8,), seed=0))
    assert loss(after) < loss(start)


def test_one_seed_gives_one_answer_whatever_the_global_generator_does(tiny, model, examples):
    start = tiny.initial_parameters(drop_frozen=True)

    def run(seed):
        return last(fine_tune(model, tiny, start, cycle(examples), at=(2,), seed=seed))

    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    first = run(0)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(2)
    assert same(first, run(0))
    assert not same(first, run(1))


def test_snapshots_are_what_shorter_runs_give(tiny, model, examples):
    start = tiny.initial_parameters(drop_frozen=True)
    snapshots = dict(fine_tune(model, tiny, start, cycle(examples), at=(0, 1, 3), seed=0))
    assert same(snapshots[0], {n: v.detach() for n, v in start.items()})
    for steps in (1, 3):
        alone = last(fine_tune(model, tiny, start, cycle(examples), at=(steps,), seed=0))
        assert same(snapshots[steps], alone)


def test_the_mean_goes_over_the_last_steps_of_each_number(tiny, model, examples):
    start = tiny.initial_parameters(drop_frozen=True)
    at = tuple(range(6))
    each = dict(fine_tune(model, tiny, start, cycle(examples), at=at, seed=0))
    means = dict(fine_tune(model, tiny, start, cycle(examples), at=at, seed=0, average=0.4))
    for steps, last_ones in ((0, (0,)), (1, (1,)), (2, (2,)), (3, (3,)), (4, (3, 4)), (5, (4, 5))):
        for name, mean in means[steps].items():
            expected = torch.stack([each[step][name] for step in last_ones]).mean(0)
            torch.testing.assert_close(mean, expected, rtol=1e-5, atol=1e-7)
    alone = last(fine_tune(model, tiny, start, cycle(examples), at=(5,), seed=0, average=0.4))
    assert same(means[5], alone)


def test_steps_cycle_through_the_examples(tiny, model, examples):
    start = tiny.initial_parameters(drop_frozen=True)
    turns = last(fine_tune(model, tiny, start, cycle(examples[:2]), at=(3,), seed=0))
    order = (0, 1, 0)
    spelled_out = last(
        fine_tune(model, tiny, start, lambda step: examples[order[step]], at=(3,), seed=0)
    )
    assert same(turns, spelled_out)
    assert not same(
        turns, last(fine_tune(model, tiny, start, cycle(examples[:1]), at=(3,), seed=0))
    )


def test_a_batch_is_one_loss_over_its_images_in_their_order(tiny, model, examples):
    start = tiny.initial_parameters(drop_frozen=True)
    batches = cycle(examples[:3], batch=2)
    rows = [batches(step).features.maps[4] for step in range(3)]
    single = [example.features.maps[4] for example in examples[:3]]
    for step, (first, second) in enumerate(((0, 1), (2, 0), (1, 2))):
        assert torch.equal(rows[step], torch.cat([single[first], single[second]]))
    assert len(cycle(examples[:2], batch=3)(0).targets) == 2  # no image twice in a batch
    # The loss is one mean over the boxes of all images: of one image twice, that of the image.
    losses = []
    for example in (examples[0], join([examples[0]] * 2)):
        torch.manual_seed(0)
        with torch.no_grad():
            losses.append(float(loss_of(model, start, example)))
    assert losses[0] == pytest.approx(losses[1], rel=0.1)


def test_the_model_itself_is_never_changed(tiny, model, examples):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    start = tiny.initial_parameters(drop_frozen=True)
    last(fine_tune(model, tiny, start, cycle(examples), at=(2,), seed=0))
    assert same(before, model.state_dict())
    assert same(tiny.initial_parameters(), {n: before[n] for n in tiny.learning})


def test_an_empty_mask_and_unsure_pixels_leave_everything_finite(tiny, model, scene):
    frames, masks = scene()
    start = tiny.initial_parameters(drop_frozen=True)
    depth = model.frozen_depth(start)
    unsure = masks[0][1].astype(np.float32)
    unsure[20:30] = np.nan
    for mask in (np.zeros_like(masks[0][1]), unsure):
        example = make_example(model, frames[0].image, mask, depth)
        params = last(fine_tune(model, tiny, start, cycle([example]), at=(2,), seed=0))
        assert all(value.isfinite().all() for value in params.values())


def test_every_part_of_a_seed_matters():
    seeds = {derive_seed(*parts) for parts in [(0, 1), (1, 0), (0, 0), (0, 1, 0), (-1, 1)]}
    assert len(seeds) == 5
