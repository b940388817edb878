"""What a pair of networks is given: images, latents that belong to places, and a measure of their unlikeness."""

import numpy as np
import pytest

from xpshpc.domain import AdversarialProblem, Place
from xpshpc.errors import UsageError
from xpshpc.spectra.learning.problem import XpsProblem
from xpshpc.wafers.learning.diversity import distances_within_classes
from xpshpc.wafers.learning.generation import WaferGeneration, make_generation
from xpshpc.wafers.learning.generation_task import read_generation_task
from xpshpc.wafers.settings import WaferSettings

SIZE, ROWS = 16, 12


def problem(**task):
    return WaferGeneration(SIZE, ("Center", "Donut", "Scratch"), read_generation_task({"latent": 5, **task}))


def stored_rows(rows=ROWS):
    random = np.random.default_rng(3)
    return {
        "map": random.integers(0, 3, (rows, SIZE, SIZE), dtype=np.uint8),
        "label": random.integers(0, 3, rows, dtype=np.uint8),
    }


def slice_of(rows, start, stop):
    return {name: values[start:stop] for name, values in rows.items()}


def test_an_image_tells_failed_dies_or_all_three_kinds():
    maps = np.zeros((1, SIZE, SIZE), np.uint8)
    maps[0, 0, :3] = [0, 1, 2]
    assert problem().features({"map": maps})[0, 0, :3, 0].tolist() == [-1, -1, 1]
    assert problem(encoding="three").features({"map": maps})[0, 0, :3, 0].tolist() == [-1, 0, 1]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_is_drawn_for_a_row_follows_from_its_place_whoever_holds_it(size):
    asked = problem(conditional=True, discriminator_steps=2, instance_noise=0.3, noise_epochs=10)
    rows = stored_rows()
    whole = asked.targets(asked.augment(rows, Place(9, 4, 7, 0)))
    share = ROWS // size
    for rank in range(size):
        first = rank * share
        own = asked.targets(asked.augment(slice_of(rows, first, first + share), Place(9, 4, 7, first)))
        assert own.keys() == whole.keys() == {"latent", "draw", "noise", "label"}
        for name, values in own.items():
            np.testing.assert_array_equal(values, whole[name][first : first + share])
    assert whole["latent"].shape == (ROWS, 3, 5) and whole["draw"].shape == (ROWS, 5)
    np.testing.assert_allclose(whole["noise"], 0.3 * 0.6, rtol=1e-6)


def test_other_places_have_other_draws_and_latents_are_standard_normal():
    asked = problem(latent=64)
    rows = stored_rows(64)
    latents = [
        asked.augment(rows, Place(seed, epoch, step, first))["latent"]
        for seed, epoch, step, first in [(1, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 64)]
    ]
    together = np.concatenate(latents).reshape(-1)
    assert len(np.unique(together)) > 0.999 * len(together)
    assert abs(together.mean()) < 5 / np.sqrt(len(together))
    assert together.std() == pytest.approx(1, abs=0.02)


def test_a_map_is_validated_with_the_same_latent_in_whatever_company():
    asked, rows = problem(conditional=True), stored_rows()
    whole = asked.targets(rows)
    alone = asked.targets(slice_of(rows, 5, 6))
    np.testing.assert_array_equal(alone["latent"], whole["latent"][5:6])
    assert whole["latent"].shape == (ROWS, 1, 5)
    np.testing.assert_array_equal(whole["label"], rows["label"])


def test_images_are_as_unlike_as_all_their_pairs_say():
    random = np.random.default_rng(0)
    images = random.normal(size=(400, 6, 6, 1)).astype(np.float32)
    pairs = np.abs(images[:200, None] - images[None, 200:]).mean()
    assert distances_within_classes(images, np.zeros(400)).mean() == pytest.approx(pairs, rel=0.02)


def test_only_images_of_one_class_are_compared():
    images = np.array([0.0, 1.0, 0.0, 1.0, 7.0], np.float32).reshape(5, 1, 1, 1)
    label = np.array([0, 1, 0, 1, 2])
    np.testing.assert_array_equal(distances_within_classes(images, label), np.zeros(5))
    assert distances_within_classes(images, np.zeros(5)).tolist() == [1, 1, 1, 6, 7]


def test_diversity_is_that_of_fakes_in_that_of_real_ones():
    means = {"loss": 2.0, "d_loss": 1.5, "real_distance": 0.4, "fake_distance": 0.1}
    assert problem().conclude(means) == {"loss": 2.0, "d_loss": 1.5, "diversity": pytest.approx(0.25)}
    assert problem().conclude({**means, "real_distance": 0.0})["diversity"] == 1.0


def test_the_engine_sees_that_two_networks_are_trained():
    assert isinstance(problem(), AdversarialProblem)
    assert not isinstance(XpsProblem(np.arange(64) + 400.0, ("C", "O"), 1486.6, 10.0), AdversarialProblem)


def test_the_card_names_what_a_generator_is_asked_with():
    card = make_generation(
        WaferSettings.model_validate({"size": 48, "patterns": {"classes": ["Donut"]}}), {"goal": "generate"}
    ).model_card()
    assert (card["science"], card["goal"], card["size"], card["classes"]) == ("wafers", "generate", 48, ["Donut"])
    assert card["encoding"] == "fail" and card["conditional"] is False and card["latent"] == 64
    assert card["mask"] == {"disc_diameter": 48}


@pytest.mark.parametrize(
    ("task", "word"),
    [
        ({"latnt": 3}, "latent"),
        ({"loss": "wasserstein"}, "loss"),
        ({"label_smoothing": 0.7}, "label_smoothing"),
        ({"average": 1.0}, "average"),
    ],
)
def test_a_task_that_cannot_be_is_refused_by_name(task, word):
    with pytest.raises(UsageError, match=word):
        read_generation_task(task)


@pytest.mark.parametrize(
    ("name", "parameters", "word"),
    [
        ("dcgn", {}, "dcgan"),
        ("wafer_cnn", {}, "generate"),
        ("dcgan", {"filtres": 3}, "filters"),
        ("dcgan", {"group": 12}, "power of two"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_name(name, parameters, word):
    with pytest.raises(UsageError) as refused:
        problem().check_network(name, parameters)
    assert word in str(refused.value) + refused.value.try_


def test_sizes_are_doublings_and_shares_are_whole_groups():
    with pytest.raises(UsageError, match="52"):
        WaferGeneration(52, ("Donut",), read_generation_task({})).check_network("dcgan", {})
    problem().check_share("dcgan", {"group": 4}, 12)
    with pytest.raises(UsageError, match="groups of 8"):
        problem().check_share("dcgan", {"group": 8}, 12)
