"""Phantoms and training: all from a seed, the loss falls, a run that was cut off goes on as if it had not been."""

from functools import partial

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from quiz.grounding import inputs
from quiz.grounding.sentence import parse
from quiz.grounding.training import chest, findings, phantoms, pool, scanner
from quiz.grounding.training.space import Frame, Lattice
from tests.optional import needed

SEEDS = (11, 12, 13)


@pytest.fixture(scope="module")
def made():
    return [phantoms.make(seed) for seed in SEEDS]


def test_a_seed_is_a_phantom(made):
    again = phantoms.make(SEEDS[0])
    assert np.array_equal(again.voxels, made[0].voxels)
    assert [one.sentence for one in again.told] == [one.sentence for one in made[0].told]
    assert all(np.array_equal(a.truth, b.truth) for a, b in zip(again.told, made[0].told, strict=True))
    assert not np.array_equal(made[1].voxels[:60, :60, :60], made[0].voxels[:60, :60, :60])


def test_phantoms_come_back_from_disk(made, tmp_path):
    pool.save(made[0], pool.path_of(tmp_path, SEEDS[0]))
    (path,) = pool.fill(tmp_path, [SEEDS[0]])
    back = pool.load(path)
    assert np.array_equal(back.voxels, made[0].voxels)
    for ours, theirs in zip(back.told, made[0].told, strict=True):
        assert (ours.sentence, ours.target, ours.twin) == (theirs.sentence, theirs.target, theirs.twin)
        assert np.array_equal(ours.truth, theirs.truth)
        assert (ours.fine is None) == (theirs.fine is None)


def test_sides_of_truths_are_the_sides_of_sentences(made):
    """The patient's left is where i is large; the parser must read the side that the finding was put on."""
    for phantom in made:
        for one in phantom.told:
            side = {0: "both", 1: "right", 2: "left"}[one.target.side]
            assert parse(one.sentence).side == side, one.sentence
            if side != "both" and phantom.voxels.shape == phantoms.SIZE:
                i = np.nonzero(one.truth)[2]
                assert (i.mean() > phantoms.SIZE[2] / 2) == (side == "left")


@pytest.mark.parametrize("category", findings.CATEGORIES)
def test_every_category_changes_the_picture_where_it_says(category):
    rng = np.random.default_rng(5)
    drawn = chest.draw(chest.random_anatomy(rng), Frame.around((0.0, 0.0, 0.0), (64, 52, 66), 5.0))
    before = drawn.hu.copy()
    target = findings.Target(2)
    found = findings.random_finding(rng, drawn, category, target)
    region = target.region(drawn)
    share = found.paint(drawn, region)
    assert share.max() > 0.1
    assert not (share > 0)[drawn.side == 1].any()
    changed = np.abs(drawn.hu - before) > 1
    assert changed[share > 0.5].mean() > 0.3 if (share > 0.5).any() else changed.any()


def test_phantoms_to_test_on_are_never_learned_from():
    assert pool.seeds_of(1, 221)[218:] == [1_000_218, 1_000_219, 1_001_000]
    assert set(pool.seeds_of(2, 500)).isdisjoint(pool.seeds_of(1, 500))


def test_noise_is_the_same_on_every_grid():
    noise = Lattice.make(np.random.default_rng(0), 10.0, (0, 0, 0), 50.0)
    coarse, fine = Frame.around((0, 0, 0), (5, 5, 5), 4.0), Frame.around((0, 0, 0), (9, 9, 9), 2.0)
    assert np.allclose(noise.at(coarse), noise.at(fine)[::2, ::2, ::2], atol=1e-5)


def test_a_thick_slice_and_a_low_dose_do_what_they_say():
    hu = np.zeros((40, 20, 20), dtype=np.float32)
    hu[20] = 300
    plain = scanner.Scanner(1.0, 0.3, 0.01, 0.5, 0.0, 1.0, (0.0, 0.0), (0.0,) * 4, 1)
    thick = scanner.Scanner(9.0, 0.3, 0.01, 0.5, 0.0, 1.0, (0.0, 0.0), (0.0,) * 4, 1)
    noisy = scanner.Scanner(1.0, 0.3, 40.0, 0.5, 0.0, 1.0, (0.0, 0.0), (0.0,) * 4, 1)
    assert scanner.scan(thick, hu, 3.0)[20].mean() < 0.8 * scanner.scan(plain, hu, 3.0)[20].mean()
    assert scanner.scan(noisy, hu, 3.0)[5].std() == pytest.approx(40, rel=0.25)
    cut = scanner.Scanner(1.0, 0.3, 1.0, 0.5, 0.0, 1.0, (0.25, 0.1), (0.0, 0.0, 0.5, 0.0), 1)
    assert scanner.field(cut, (40, 20, 20)) == (slice(10, 36), slice(0, 20), slice(10, 20))


# -- learning ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def small(made, monkeypatch):
    """The phantoms as lessons of 48 cubes along each axis, two sentences each: enough to see whether it learns."""
    needed("torch")
    needed("safetensors")
    from quiz.grounding.training import learn

    real = learn.lesson

    def lesson(phantom):
        one = real(phantom)
        low = [a + n // 2 - 24 for a, n in zip(one.window.low, one.window.size, strict=True)]
        one.window = inputs.Window(tuple(low), (48, 48, 48))
        return one

    monkeypatch.setattr(learn, "lesson", lesson)
    monkeypatch.setattr(learn, "SENTENCES", 2)
    monkeypatch.setattr(learn, "CROP", 16)
    return learn, [partial(lambda phantom: phantom, phantom) for phantom in made]


def trained(learn, sources, folder, steps):
    losses = []
    run = learn.Run(seed=4, folder=folder)
    net = run.train(sources, steps=steps, report=lambda step, loss, done: losses.append(loss), threads=1)
    return net.state_dict(), losses


def test_the_loss_falls(small, tmp_path):
    learn, sources = small
    _, losses = trained(learn, sources, tmp_path, 30)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-6:]) < 0.9 * np.mean(losses[:6])


def test_a_run_goes_on_where_it_was_cut_off(small, tmp_path):
    import torch

    learn, sources = small
    whole, _ = trained(learn, sources, tmp_path / "whole", 3)
    again, _ = trained(learn, sources, tmp_path / "again", 3)
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    run = learn.Run(seed=4, folder=tmp_path / "cut")
    # The rate falls over the whole run: it is told its length, and cut off after two steps.
    with pytest.raises(KeyboardInterrupt):
        run.train(sources, steps=3, report=stop_after(2), threads=1)
    cut, _ = trained(learn, sources, tmp_path / "cut", 3)
    for name in whole:
        torch.testing.assert_close(cut[name], whole[name], atol=1e-5, rtol=1e-4)


def test_a_run_may_begin_with_weights(small, tmp_path, monkeypatch):
    """At a rate of nothing a step leaves them as they were."""
    import torch
    from safetensors.torch import load_file

    learn, sources = small
    trained(learn, sources, tmp_path / "first", 1)
    start = tmp_path / "first" / "weights.safetensors"
    monkeypatch.setattr(learn, "START_RATE", 0.0)
    net = learn.Run(seed=5, folder=tmp_path / "second", start=start).train(sources, steps=1, threads=1).state_dict()
    assert all(torch.equal(net[name].half(), value) for name, value in load_file(start).items())


def test_a_step_that_gives_no_number_spoils_nothing(small, tmp_path, monkeypatch):
    learn, sources = small
    real = learn.step_loss
    monkeypatch.setattr(learn, "step_loss", lambda *given: real(*given) * float("nan"))
    monkeypatch.setattr(learn, "MOST_LOST", 2)
    run = learn.Run(seed=4, folder=tmp_path)
    with pytest.raises(ArithmeticError, match="2 steps in a row"):
        run.train(sources, steps=5, threads=1)
    monkeypatch.setattr(learn, "step_loss", real)
    net = run.train(sources, steps=3, threads=1)
    assert all(np.isfinite(value.numpy()).all() for value in net.state_dict().values())


def stop_after(steps):
    def report(step, loss, done):
        if step >= steps:
            raise KeyboardInterrupt

    return report


def test_a_run_of_another_seed_is_not_continued(small, tmp_path):
    learn, sources = small
    trained(learn, sources, tmp_path, 1)
    with pytest.raises(ValueError, match="seed 4"):
        learn.Run(seed=5, folder=tmp_path).train(sources, steps=2, threads=1)


# -- the command ------------------------------------------------------------------------------------------------------


def test_the_command_refuses_nonsense(tmp_path):
    needed("torch")
    needed("safetensors")
    with pytest.raises(CommandError, match="negative"):
        call_command("train_tiny", "--seed=-1", f"--folder={tmp_path}")
    with pytest.raises(CommandError, match="nothing to learn"):
        call_command("train_tiny", "--phantoms=0", f"--folder={tmp_path}")
    with pytest.raises(CommandError):
        call_command("train_tiny", "--phantoms=0", f"--folder={tmp_path}", f"--dataset={tmp_path}")


def test_scans_of_the_train_split_are_learned_from(tiny_dataset, tmp_path, capsys):
    """One of the two scans is train. The run is one step: that it gives weights which the engine can read."""
    needed("torch")
    needed("safetensors")
    from quiz.grounding import tiny
    from quiz.grounding.training import scans

    assert scans.names(tiny_dataset) == ["train_9202_a_1"]
    scan = scans.read(tiny_dataset, "train_9202_a_1")
    # 24 slices of 5 mm, 40 rows and 48 columns of 6 mm, in cubes of 3 mm.
    assert scan.voxels.shape == (40, 80, 96)
    lower = next(one for one in scan.told if "left lower" in one.sentence)
    # The nodule lies at k = 6, j = 22, i = 35: its middle is 6.5 * 5, 22.5 * 6 and 35.5 * 6 mm from the corner.
    middle = (np.argwhere(lower.truth).mean(axis=0) + 0.5) * 3
    assert np.allclose(middle, (32.5, 135.0, 213.0), atol=4.0)
    output = tmp_path / "own.safetensors"
    call_command(
        "train_tiny",
        "--phantoms=0",
        "--steps=1",
        f"--dataset={tiny_dataset}",
        f"--folder={tmp_path}",
        f"--output={output}",
    )
    assert "1 scans" in capsys.readouterr().out
    assert tiny.make(path=output).name == "tiny"
