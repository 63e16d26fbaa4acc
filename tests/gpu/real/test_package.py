"""Our adapter through the unmodified package: orientation, order of sentences, cropping, memory, what is missing."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cases.imaging import export, masks
from cases.imaging.geometry import Grid
from cases.imaging.nifti import Ct, read_ct
from quiz.grounding import voxtell, voxtell_bank, voxtell_files
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, GroundingCancelled
from quiz.grounding.reader_order import to_reader
from quiz.grounding.shown import checked
from tests.gpu.real import fabricated
from tests.gpu.real.conftest import BRIGHT, DARK, Scan, write_scan


@pytest.fixture
def engine(in_process: voxtell.VoxTell) -> voxtell.VoxTell:
    return in_process


def as_file(mask: masks.SparseMask, ct: Ct, folder: Path) -> "np.ndarray":
    """The mask as a file on the CT's own grid, read back with its affine."""
    import nibabel as nib

    path = folder / "mask.nii.gz"
    path.write_bytes(b"".join(export.nifti(mask, ct.grid, ct.frame.as_json(), what="mask")))
    return nib.load(path)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_both_places_are_marked_exactly_in_the_files_own_frame(engine, scan: Scan, tmp_path):
    import nibabel as nib

    ct = read_ct(scan.path)
    told = []
    answers = engine.ground(
        ct.voxels, ct.grid, [DARK.upper(), "A nodule that nobody has embedded", BRIGHT.lower()],
        progress=lambda done, total: not told.append((done, total)),
    )  # fmt: skip
    for answer, sentence in zip(answers[::2], (DARK, BRIGHT), strict=True):
        written = as_file(answer.mask, ct, tmp_path)
        assert np.array_equal(written.affine, nib.load(scan.path).affine)
        assert dice(np.asarray(written.dataobj) > 0, scan.places[sentence]) == 1.0
        # A cell of the heat is above one half exactly where it holds a voxel that is marked.
        assert np.array_equal(checked(answer, ct.grid).heat.values >= 128, cells_of(answer))
        assert 0.5 < answer.confidence <= 1.0
    assert (answers[0].attributes["side"], answers[2].attributes["side"]) == ("left", "right")
    assert answers[1].mask.is_empty
    assert "not been embedded" in answers[1].note
    assert told[0][0] == 0  # before the scan is looked at
    assert told[-1] == (2, 2)  # one patch for each of the two sentences


def cells_of(answer: Grounding) -> np.ndarray:
    """Which cells of the heat hold a marked voxel."""
    cells = np.zeros(answer.heat.values.shape, dtype=bool)
    cells[tuple(axis // step for axis, step in zip(np.nonzero(answer.mask.dense()), answer.heat.step, strict=True))] = (
        True
    )
    return cells


def test_our_order_is_that_of_the_packages_reader(scan: Scan):
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient

    read, _ = NibabelIOWithReorient().read_images([str(scan.path)])
    assert np.array_equal(read[0], to_reader(read_ct(scan.path).voxels))


class Nothing(torch.nn.Module):
    """In place of the network, for what happens around it: logits of 0, and what a GPU says when too much is asked."""

    def __init__(self, most: int = 99) -> None:
        super().__init__()
        self.most = most

    def forward(self, patch, text):
        if text.shape[1] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return torch.zeros(1, text.shape[1], *patch.shape[2:])


LARGE = Grid((30, 44, 48), (1.0, 1.0, 1.0), tuple(tuple(row) for row in np.eye(4).tolist()))
PATCHES = 2 * 3 * 3  # of 24 voxels, half overlapping: 30 takes 2 steps, 44 and 48 take 3
SCAN = np.full(LARGE.size, -700, np.int16)


def test_it_stops_at_the_next_patch_when_it_is_told_to(engine, monkeypatch):
    monkeypatch.setattr(engine._predictor, "network", Nothing())
    told = []
    with pytest.raises(GroundingCancelled):
        engine.ground(SCAN, LARGE, [BRIGHT], progress=lambda done, total: bool(told.append((done, total)) or done < 3))
    assert told == [(0, 1), (1, PATCHES), (2, PATCHES), (3, PATCHES)]


def test_sentences_are_taken_in_parts_when_memory_is_short(engine, monkeypatch):
    monkeypatch.setattr(engine._predictor, "network", Nothing(most=1))
    told = []
    answers = engine.ground(SCAN, LARGE, [BRIGHT, DARK], progress=lambda done, total: not told.append((done, total)))
    assert len(answers) == 2
    assert told[-1] == (2 * PATCHES, 2 * PATCHES)
    assert told == sorted(told)


def test_a_gpu_too_small_for_one_sentence_is_said_in_words(engine, monkeypatch):
    monkeypatch.setattr(engine._predictor, "network", Nothing(most=0))
    with pytest.raises(EngineError, match="more memory than this machine's GPU has free"):
        engine.ground(SCAN, LARGE, [BRIGHT, DARK])


def test_any_weights_of_the_architecture_give_an_answer_that_fits(work, bank, tmp_path):
    folder = fabricated.write(tmp_path / "any", fabricated.any_weights())
    assert (folder / "fold_0" / "checkpoint_final.pth").stat().st_size < 400_000  # of 340 million parameters
    engine = voxtell.make(model=str(folder), sha256=voxtell_files.checksum(folder), bank=str(bank), device="cpu")
    ct = read_ct(write_scan(tmp_path, "RAS").path)
    answers = engine.ground(ct.voxels, ct.grid, [BRIGHT, DARK])
    assert [checked(answer, ct.grid).sentence for answer in answers] == [BRIGHT, DARK]
    assert all(np.isfinite(answer.confidence) for answer in answers)


def test_the_text_encoder_embeds_a_sentence_once_and_it_is_banked(wired, tmp_path):
    """A Qwen3 of one layer and a few words, through the package's own text side."""
    encoder, bank = write_encoder(tmp_path / "encoder"), tmp_path / "bank"
    options = {"model": str(wired), "sha256": voxtell_files.checksum(wired), "bank": str(bank), "device": "cpu"}
    engine = voxtell.make(**options, text_model=str(encoder))
    assert engine.embed([BRIGHT, DARK, BRIGHT.lower()]) == 2
    assert engine.embed([DARK]) == 0
    vectors = voxtell_bank.load(bank)
    assert set(vectors) == {BRIGHT.lower(), DARK.lower()}
    assert not np.array_equal(vectors[BRIGHT.lower()], vectors[DARK.lower()])
    assert len(list(bank.glob("*.npz"))) == 1
    shutil.rmtree(encoder)  # a new worker without it answers what is banked, and says what it cannot embed
    again = voxtell.make(**options, text_model=str(encoder))
    again._predictor.network = Nothing()
    answers = again.ground(SCAN, LARGE, ["Another nodule", BRIGHT])
    assert "The text encoder" in answers[0].note
    assert answers[1].note == voxtell.MARKS_NOTHING


def write_encoder(folder: Path) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3Model

    words = ["[unk]", "[pad]", "dense", "nodule", "emphysema", "right", "left", "upper", "lower"]
    tokens = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="[unk]"))
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokens, unk_token="[unk]", pad_token="[pad]").save_pretrained(folder)
    small = Qwen3Config(
        vocab_size=len(words), hidden_size=fabricated.WIDTH, intermediate_size=16, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8,
    )  # fmt: skip
    Qwen3Model(small).save_pretrained(folder)
    return folder


def test_a_torchvision_of_another_torch_is_said_in_words(wired, bank, tmp_path, monkeypatch):
    """As `pip install voxtell` beside the CPU build of torch leaves it."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        'raise RuntimeError("operator torchvision::nms does not exist")'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    options = {"model": str(wired), "sha256": voxtell_files.checksum(wired), "bank": str(bank), "device": "cpu"}
    with pytest.raises(EngineUnavailable, match="pip uninstall torchvision"):
        voxtell.make(**options, text_model="anything")


def test_without_a_gpu_it_says_so(wired, bank):
    with pytest.raises(EngineUnavailable, match=r"needs a GPU.*built without CUDA"):
        voxtell.make(model=str(wired), sha256="not looked at", bank=str(bank))


def test_a_folder_that_is_no_model_is_said_in_words(bank, tmp_path):
    folder = fabricated.write(tmp_path / "broken", {})
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        voxtell.make(model=str(folder), sha256=voxtell_files.checksum(folder), bank=str(bank), device="cpu")
