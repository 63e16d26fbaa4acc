"""The engine tiny: its weights, its answers and what it says when it cannot answer."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cases.imaging.geometry import Grid
from cases.imaging.phantom.cases import tiny as small_chest
from quiz.grounding import inputs, network, registry, weights
from quiz.grounding.base import EngineError, EngineUnavailable, GroundingCancelled
from quiz.grounding.training import phantoms
from tests.optional import needed

torch = needed("torch")
needed("safetensors")

from quiz.grounding import tiny  # noqa: E402

LEFT, RIGHT = "Left pleural effusion", "Right pleural effusion"


@pytest.fixture(scope="module")
def case():
    return small_chest()


@pytest.fixture(scope="module")
def untrained():
    """An engine with random weights: what it marks is noise, what it does is not."""
    torch.manual_seed(3)
    return tiny.Tiny(weights.Loaded(network.build().eval()))


@pytest.fixture(scope="module")
def shipped():
    return registry.make("tiny")


def written(path, net, **words):
    from safetensors.torch import save_file

    save_file({name: value.half().contiguous() for name, value in net.state_dict().items()}, path, metadata=words)
    return path


# -- weights ----------------------------------------------------------------------------------------------------------


def test_the_shipped_weights_are_small_and_are_the_ones_that_belong_here(shipped):
    path = weights.path_of()
    assert path.stat().st_size <= weights.MOST_BYTES
    assert weights.sha256_of(path) == weights.SHA256
    assert shipped.name == "tiny"
    assert shipped.version == f"{weights.VERSION}.{tiny.REVISION}"


def test_an_exchanged_file_is_not_read(tmp_path):
    path = tmp_path / "tiny-1.safetensors"
    data = bytearray(weights.path_of().read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(EngineUnavailable, match="checksum differs"):
        weights.load(path, weights.SHA256)


def test_missing_or_foreign_files_are_said_in_words(tmp_path):
    with pytest.raises(EngineUnavailable, match="missing"):
        weights.load(tmp_path / "none.safetensors", None)
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"\x80\x04pickled")
    with pytest.raises(EngineUnavailable, match="do not fit"):
        weights.load(path, None)


@pytest.mark.parametrize("name", ["torch", "safetensors"])
def test_what_is_not_installed_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(EngineUnavailable, match=rf"needs {name}.*requirements-torch"):
        registry.make("tiny")


def test_thresholds_travel_with_the_weights(tmp_path):
    path = written(tmp_path / "own.safetensors", network.build(), thresholds=json.dumps({"2d": 0.35}), version="own")
    engine = tiny.make(path=path)
    assert engine.loaded.thresholds == {"2d": 0.35}
    assert engine.version == f"own.{tiny.REVISION}"


def test_confidence_is_how_often_such_answers_hit(tmp_path):
    counted = [[0.4, 0.2], [0.6, 0.6], [0.8, 1.0]]
    engine = tiny.make(path=written(tmp_path / "own.safetensors", network.build(), hits=json.dumps(counted)))
    sure = tiny.Look._sure
    look = SimpleNamespace(engine=engine)
    # Straight lines between what was counted, nothing beyond it: 0.5 lies half-way from 0.2 to 0.6.
    assert [sure(look, mean) for mean in (0.1, 0.5, 0.8, 0.95)] == pytest.approx([0.2, 0.4, 1.0, 1.0])
    assert sure(look, 0.0) == 0.0  # it marks nothing


@pytest.mark.parametrize(
    ("category", "inner", "kept"),
    [
        ("2d", 50, 4),  # solid: the border at -600 HU is more air than tissue
        ("2d", -500, 6),  # ground glass called a nodule: nothing is known of its border
        ("2b", 50, 6),  # consolidation fades
    ],
)
def test_the_border_of_what_is_solid_is_where_air_begins(category, inner, kept):
    """A row of six: a border voxel, four within, a border voxel. Four of six are denser than the border, so the densest
    quarter is ``inner``."""
    voxels = np.array([[[-600, inner, inner, inner, inner, -600]]], dtype=np.int16)
    planes = {0: np.ones((1, 6), dtype=bool)}
    tiny.trim(planes, voxels, category)
    assert int(planes[0].sum()) == kept


# -- the network ------------------------------------------------------------------------------------------------------


def test_a_sentence_is_answered_the_same_alone_and_in_company():
    torch.manual_seed(0)
    net = network.build().eval()
    volume = torch.randn(1, inputs.CHANNELS, 32, 48, 32)
    place = torch.rand(3, 1, 16, 24, 16)
    with torch.inference_mode():
        features = net.encode(volume)
        text = net.sentence(torch.rand(3, inputs.TRAITS), torch.randint(0, inputs.WORDS, (3, inputs.TOKENS)))
        together, y = net.decode(features, text, place)
        _, full = net.refine(
            together, y, features[0].expand(3, -1, -1, -1, -1), text, place, volume[:, :2].expand(3, -1, -1, -1, -1)
        )
        for n in range(3):
            one = slice(n, n + 1)
            alone, z = net.decode(features, text[one], place[one])
            torch.testing.assert_close(alone, together[one], atol=1e-4, rtol=1e-4)
            _, single = net.refine(alone, z, features[0], text[one], place[one], volume[:, :2])
            torch.testing.assert_close(single, full[one], atol=1e-4, rtol=1e-4)
    assert full.shape == (3, 1, 32, 48, 32)


def test_it_is_a_small_network():
    assert 1_400_000 < sum(p.numel() for p in network.build().parameters()) < 2_000_000


# -- answers ----------------------------------------------------------------------------------------------------------


def test_left_is_left_and_right_is_right(shipped):
    """A phantom beyond those learned from, with fluid on both sides: each sentence is answered on its own."""
    phantom = phantoms.make(1_000_323)
    answers = shipped.ground(phantom.voxels, phantom.grid, [LEFT, RIGHT])
    middle = phantom.voxels.shape[2] / 2
    for answer, on_left in zip(answers, (True, False), strict=True):
        assert not answer.mask.is_empty
        _, _, i = np.unravel_index(answer.mask.flat(), answer.mask.size)
        assert np.mean(i > middle) == pytest.approx(1.0 if on_left else 0.0, abs=0.02)
        peak = np.unravel_index(int(np.argmax(answer.heat.values)), answer.heat.values.shape)
        assert (peak[2] * answer.heat.step[2] > middle) == on_left


def test_answers_fit_the_scan(untrained, case):
    told = []
    answers = untrained.ground(
        case.voxels, case.grid, [LEFT, "Nodule in the left lower lobe"], progress=lambda *at: told.append(at) or True
    )
    assert [answer.sentence for answer in answers] == [LEFT, "Nodule in the left lower lobe"]
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    for answer in answers:
        assert answer.mask.size == case.grid.size
        cells = zip(answer.heat.values.shape, answer.heat.step, case.grid.size, strict=True)
        assert all(n * s >= size > (n - 1) * s for n, s, size in cells)
        assert 0 <= answer.confidence <= 1
    assert answers[0].attributes["side"] == "left"


def test_the_same_question_has_the_same_answer(untrained, case):
    first, second = (untrained.ground(case.voxels, case.grid, [LEFT])[0] for _ in range(2))
    assert np.array_equal(first.mask.flat(), second.mask.flat())
    assert np.array_equal(first.heat.values, second.heat.values)


@pytest.mark.parametrize("sentence", ["", "Knoten im rechten Oberlappen", "nodule " * 2000, "No pleural effusion"])
def test_what_cannot_be_read_gets_a_note(untrained, case, sentence):
    (answer,) = untrained.ground(case.voxels, case.grid, [sentence])
    assert answer.mask.is_empty
    assert answer.note
    assert answer.sentence == sentence


def test_without_lungs_nothing_is_marked(untrained):
    grid = Grid((20, 30, 30), (5.0, 5.0, 5.0), ())
    (answer,) = untrained.ground(np.zeros(grid.size, dtype=np.int16), grid, [LEFT])
    assert answer.mask.is_empty
    assert "lungs" in answer.note


# -- bad days ---------------------------------------------------------------------------------------------------------


def test_it_can_be_stopped(untrained, case):
    with pytest.raises(GroundingCancelled):
        untrained.ground(case.voxels, case.grid, [LEFT, RIGHT], progress=lambda done, total: done < 1)


def test_numbers_that_are_none_are_noticed(case):
    net = network.build().eval()
    with torch.no_grad():
        net.last.bias.fill_(float("nan"))
    with pytest.raises(EngineError, match="not a number"):
        tiny.Tiny(weights.Loaded(net)).ground(case.voxels, case.grid, [LEFT])


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("CUDA out of memory."), RuntimeError("DefaultCPUAllocator: not enough memory")],
)
def test_memory_that_runs_out_is_said(untrained, case, monkeypatch, error):
    def encode(volumes):
        raise error

    monkeypatch.setattr(untrained.net, "encode", encode)
    with pytest.raises(EngineError, match="not enough memory"):
        untrained.ground(case.voxels, case.grid, [LEFT])


def test_a_scan_of_impossible_size_is_refused(untrained, case):
    with pytest.raises(EngineError, match="at most"):
        untrained.ground(case.voxels, Grid(case.grid.size, (50.0, 50.0, 50.0), case.grid.affine), [LEFT])
