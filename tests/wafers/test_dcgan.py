"""The two networks' own laws: shapes, normalisation in groups, noise by row, and a saved network of Keras' layers."""

import numpy as np
import pytest

pytestmark = pytest.mark.networks


def build(size=16, classes=0, noisy=False, seed=1, latent=5, **parameters):
    from xpshpc.wafers.models.dcgan import Parameters

    checked = Parameters.model_validate({"filters": 4, "group": 4, **parameters})
    from xpshpc.wafers.models.dcgan import build as build_networks

    return build_networks(checked, size, latent=latent, classes=classes, noisy=noisy, seed=seed)


def test_the_first_weights_follow_from_the_seed_and_size_from_the_input():
    one, same, other = (build(24, classes=3, seed=seed) for seed in (1, 1, 2))
    for network in ("generator", "discriminator"):
        first = [getattr(rivals, network).get_weights() for rivals in (one, same, other)]
        for mine, theirs in zip(first[0], first[1], strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert any(not np.array_equal(mine, theirs) for mine, theirs in zip(first[0], first[2], strict=True))
    asked = {"latent": np.ones((2, 5), np.float32), "label": np.array([0, 2], np.int32)}
    assert one.generator(asked)["image"].shape == (2, 24, 24, 1)


def test_batch_norm_is_everywhere_but_at_the_generators_output_and_the_discriminators_input():
    import keras

    rivals = build()
    kinds = (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)
    norm = keras.layers.BatchNormalization

    def normalised(network):
        """Of each layer with weights, in order, whether a normalisation follows before the next one."""
        found = []
        for layer in network.layers:
            if isinstance(layer, kinds):
                found.append(False)
            elif isinstance(layer, norm):
                found[-1] = True
        return found

    assert normalised(rivals.generator) == normalised(rivals.saved) == [True, True, True, False]
    assert normalised(rivals.discriminator) == [False, True, True, False]


def test_the_saved_generator_has_only_keras_layers_and_answers_as_the_trained_one():
    rivals = build(classes=2)
    asked = {"latent": np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32), "label": np.zeros(8, np.int32)}
    for _ in range(3):
        rivals.generator(asked, training=True)
    assert [v.path for v in rivals.saved.variables] == [v.path for v in rivals.generator.variables]
    rivals.saved.set_weights(rivals.generator.get_weights())
    assert all(type(layer).__module__.startswith("keras.") for layer in rivals.saved.layers)
    images = [np.asarray(network(asked, training=False)["image"]) for network in (rivals.generator, rivals.saved)]
    np.testing.assert_allclose(images[0], images[1], atol=1e-6)


def test_a_group_is_normalised_by_itself_and_remembered_as_the_mean_over_groups():
    from xpshpc.wafers.models.grouped import GroupedBatchNormalization

    rows = np.random.default_rng(0).normal(3, 2, (8, 5, 5, 3)).astype(np.float32)
    layer = GroupedBatchNormalization(4, momentum=0.0, epsilon=1e-6)
    whole = np.asarray(layer(rows, training=True))
    groups = rows.reshape(2, 4, 5, 5, 3)
    np.testing.assert_allclose(layer.moving_mean.numpy(), groups.mean(axis=(0, 1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance.numpy(), groups.var(axis=(1, 2, 3)).mean(axis=0), rtol=1e-4)
    for start in (0, 4):
        part = np.asarray(layer(rows[start : start + 4], training=True))
        np.testing.assert_allclose(part, whole[start : start + 4], atol=1e-5)
        np.testing.assert_allclose(part.mean(axis=(0, 1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(part.std(axis=(0, 1, 2)), 1, atol=1e-4)


def test_a_discriminator_that_looks_at_groups_remembers_nothing():
    from xpshpc.wafers.models.grouped import GroupedBatchNormalization

    rows = np.random.default_rng(0).normal(3, 2, (8, 5, 5, 3)).astype(np.float32)
    layer = GroupedBatchNormalization(4, always=True)
    trained, answered = (np.asarray(layer(rows, training=training)) for training in (True, False))
    np.testing.assert_array_equal(trained, answered)
    np.testing.assert_array_equal(layer.moving_mean.numpy(), 0)


def test_alike_rows_have_no_spread_and_others_have_theirs():
    from xpshpc.wafers.models.grouped import GroupSpread

    random = np.random.default_rng(0)
    rows = np.concatenate([np.repeat(random.normal(size=(1, 3, 3, 2)), 4, 0), random.normal(size=(4, 3, 3, 2))])
    seen = np.asarray(GroupSpread(4)(rows.astype(np.float32)))
    assert seen.shape == (8, 3, 3, 3)
    assert seen[:4, ..., 2].max() < 1e-3
    np.testing.assert_allclose(seen[4:, ..., 2], rows[4:].std(axis=0).mean(), rtol=1e-4)


def test_noise_and_dropout_belong_to_a_rows_draw_and_leave_answers_alone():
    from xpshpc.wafers.models.row_noise import RowDropout, RowNoise

    draws = np.array([3, 8, 3, 2**24 - 1], np.float32)
    images, units = np.zeros((4, 40, 40, 1), np.float32), np.ones((4, 4000), np.float32)
    noisy = np.asarray(RowNoise()(images, draws, np.array([1, 1, 1, 0.5], np.float32), training=True))
    np.testing.assert_array_equal(noisy[0], noisy[2])
    assert noisy[0].std() == pytest.approx(1, abs=0.1) and noisy[3].std() == pytest.approx(0.5, abs=0.05)
    assert abs(np.corrcoef(noisy[0].ravel(), noisy[1].ravel())[0, 1]) < 0.1
    dropped = np.asarray(RowDropout(0.25)(units, draws, training=True))
    np.testing.assert_array_equal(dropped[0], dropped[2])
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (dropped[1] == 0).mean() == pytest.approx(0.25, abs=0.04)
    assert not np.array_equal(dropped[0], dropped[1])
    np.testing.assert_array_equal(RowNoise()(images, draws, draws, training=False), images)
    np.testing.assert_array_equal(RowDropout(0.25)(units, draws, training=False), units)


def test_a_discriminator_takes_only_what_it_uses():
    assert set(build().discriminator.input) == {"image"}
    assert set(build(dropout=0.5).discriminator.input) == {"image", "draw"}
    assert set(build(noisy=True, classes=2, group_spread=True).discriminator.input) == {
        "image",
        "label",
        "draw",
        "noise",
    }
