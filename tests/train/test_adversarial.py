"""One adversarial step on one rank: who moves, against whom, and what is kept of it."""

import numpy as np
import pytest

from tests.train.adversarial_rank import GLOBAL_BATCH, SIZE, rows_of
from tests.train.gan_run import SMALL_GAN
from xpshpc.cluster.communicator import Solo
from xpshpc.config import Train
from xpshpc.domain import Place
from xpshpc.wafers.learning.generation import WaferGeneration
from xpshpc.wafers.learning.generation_task import read_generation_task

pytestmark = pytest.mark.networks


def make_stepper(train=None, **task):
    from xpshpc.train.adversarial import AdversarialStepper

    problem = WaferGeneration(SIZE, ("Center", "Donut"), read_generation_task({"latent": 6, **task}))
    rivals = problem.network("dcgan", SMALL_GAN, (SIZE, SIZE, 1), seed=1)
    stepper = AdversarialStepper(rivals, problem, Solo(), Train(global_batch=GLOBAL_BATCH, **(train or {})))
    return stepper, problem, rivals


def step_once(stepper, problem, step=0, rate=1e-2, spoil=None):
    rows = problem.augment(rows_of(step), Place(1, 0, step, 0))
    inputs = problem.features(rows)
    return stepper.step(inputs if spoil is None else inputs * spoil, problem.targets(rows), rate, False)


def values_of(network):
    return [variable.numpy() for variable in network.variables]


def moved(before, network):
    return any(not np.array_equal(one, other) for one, other in zip(before, values_of(network), strict=True))


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge", "least_squares"])
def test_each_network_gets_better_against_the_other_as_it_was(loss):
    stepper, problem, rivals = make_stepper(loss=loss, instance_noise=0.0)
    rows = problem.augment(rows_of(0), Place(1, 0, 0, 0))
    inputs, truth = problem.features(rows), problem.targets(rows)

    def discriminator_now():
        return float(np.mean(problem.discriminator_losses(*problem.compare(rivals, inputs, truth, 0))))

    def generator_now():
        return float(np.mean(problem.generator_losses(problem.deceive(rivals, truth))))

    generator = values_of(rivals.generator)
    first = discriminator_now()
    result = stepper.step(inputs, truth, 1e-3, False)
    assert result.finite and len(result.losses) == GLOBAL_BATCH
    assert result.loss == pytest.approx(result.losses.mean(), rel=1e-4)
    trained = values_of(rivals.generator)
    for variable, value in zip(rivals.generator.variables, generator, strict=True):
        variable.assign(value)
    assert discriminator_now() < first
    against_the_new_one = generator_now()
    for variable, value in zip(rivals.generator.variables, trained, strict=True):
        variable.assign(value)
    assert generator_now() < against_the_new_one


def test_the_saved_generator_is_the_running_mean_of_the_trained_one():
    stepper, problem, rivals = make_stepper(average=0.6)
    expected = values_of(rivals.generator)
    for step in range(12):
        step_once(stepper, problem, step)
        kept = min(0.6, step / (step + 10))
        expected = [
            kept * mean + (1 - kept) * new for mean, new in zip(expected, values_of(rivals.generator), strict=True)
        ]
    for mean, own in zip(expected, values_of(stepper.network), strict=True):
        np.testing.assert_allclose(own, mean, rtol=1e-4, atol=1e-6)
    plain, problem, rivals = make_stepper(average=0.0)
    step_once(plain, problem)
    assert not moved(values_of(rivals.generator), plain.network)


def test_a_loss_that_is_no_number_leaves_the_discriminator_and_is_told():
    stepper, problem, rivals = make_stepper()
    before = values_of(rivals.discriminator)
    result = step_once(stepper, problem, spoil=np.float32(np.nan))
    assert not result.finite and not np.isfinite(result.losses).any()
    assert not moved(before, rivals.discriminator)


def test_what_is_assigned_goes_on_as_the_one_it_was_taken_from():
    one, problem, _ = make_stepper(discriminator_rate=0.5)
    step_once(one, problem, 0)
    other, _, _ = make_stepper(discriminator_rate=0.5)
    other.assign(*one.variables())
    results = [step_once(stepper, problem, 1) for stepper in (one, other)]
    assert results[0].loss == results[1].loss
    for mine, theirs in zip(one.variables()[0], other.variables()[0], strict=True):
        np.testing.assert_array_equal(mine, theirs)
    with pytest.raises(ValueError, match="another network"):
        other.assign(one.variables()[0][1:])


def test_validation_judges_what_the_saved_generator_makes_and_changes_nothing():
    stepper, problem, rivals = make_stepper(conditional=True)
    rows = rows_of(0)
    networks = (rivals.generator, rivals.discriminator, rivals.saved)
    before = [values_of(network) for network in networks]
    answer, losses = stepper.answer(problem.features(rows), truth := problem.targets(rows))
    again, _ = stepper.answer(problem.features(rows), truth)
    for name, values in answer.items():
        np.testing.assert_array_equal(values, again[name])
    assert not any(moved(values, network) for values, network in zip(before, networks, strict=True))
    metrics = {name: values.mean() for name, values in problem.metrics(truth, answer).items()}
    told = problem.conclude({**metrics, "loss": losses.mean()})
    assert set(told) == {"loss", *problem.metric_names}
    assert told["loss"] == pytest.approx(told["d_loss"] + told["g_loss"], rel=1e-5)
    assert 0 <= told["fake_score"] <= 1 and 0 <= told["real_score"] <= 1 and told["diversity"] > 0
    picture = problem.pictures(stepper.network)
    assert picture.dtype == np.uint8 and picture.shape == (5 * (SIZE + 2), 2 * (SIZE + 2))
