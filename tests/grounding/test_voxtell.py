"""What surrounds VoxTell and needs no package: checksums, the bank, what is said when something is missing."""

import errno
import os

import numpy as np
import pytest

from cases.imaging.geometry import Grid
from quiz.grounding import registry, voxtell, voxtell_bank, voxtell_files
from quiz.grounding.base import EngineError, EngineUnavailable, GroundingCancelled
from quiz.grounding.reader_order import from_reader, nifti_bytes, to_reader
from quiz.grounding.sentence import MAX_CHARACTERS

GRID = Grid((2, 3, 4), (2.5, 0.9, 0.7), tuple(tuple(row) for row in np.eye(4).tolist()))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model" / "fold_0").mkdir(parents=True)
    (tmp_path / "model" / "plans.json").write_text("{}")
    (tmp_path / "model" / "fold_0" / "checkpoint_final.pth").write_bytes(b"not a pickle")
    return tmp_path / "model"


# -- the folder -------------------------------------------------------------------------------------------------------


def test_the_checksum_is_that_of_what_sha256sum_prints(folder):
    """`sha256sum` of "{}" and of "not a pickle", as lines, and SHA-256 of those lines."""
    import hashlib

    lines = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in (("plans.json", b"{}"), ("fold_0/checkpoint_final.pth", b"not a pickle"))
    )
    assert voxtell_files.checksum(folder) == hashlib.sha256(lines.encode()).hexdigest()


def test_a_folder_is_only_taken_with_its_checksum(folder):
    digest = voxtell_files.checksum(folder)
    assert voxtell_files.verify(folder, digest.upper()) == digest
    with pytest.raises(EngineUnavailable, match=f"VOXTELL_SHA256={digest}"):
        voxtell_files.verify(folder, "")
    (folder / "plans.json").write_text('{"changed": 1}')
    with pytest.raises(EngineUnavailable, match="is not the model that VOXTELL_SHA256 names"):
        voxtell_files.verify(folder, digest)


def test_a_folder_without_its_files_is_no_model(tmp_path):
    with pytest.raises(EngineUnavailable, match=r"plans\.json cannot be read"):
        voxtell_files.checksum(tmp_path)


# -- the bank ---------------------------------------------------------------------------------------------------------


def unit(n: int) -> np.ndarray:
    return np.eye(1, voxtell_bank.WIDTH, n, dtype=np.float16)[0]


def test_a_bank_is_one_file_named_by_its_content_and_keys_are_lower_case(tmp_path):
    first = voxtell_bank.save(tmp_path, {"Nodule on the LEFT": unit(0)})
    second = voxtell_bank.save(tmp_path, {"Effusion": unit(1)})
    assert list(tmp_path.iterdir()) == [second]
    assert first != second
    found = voxtell_bank.load(tmp_path)
    assert set(found) == {"nodule on the left", "effusion"}
    assert np.array_equal(found["effusion"], unit(1))


def test_a_bank_that_was_changed_is_not_used(tmp_path):
    path = voxtell_bank.save(tmp_path, {"nodule": unit(0)})
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(EngineUnavailable, match="its SHA-256"):
        voxtell_bank.load(tmp_path)


def test_a_bank_that_is_replaced_while_it_is_read_is_looked_at_again(tmp_path, monkeypatch):
    old, new = tmp_path / f"{'0' * 64}.npz", voxtell_bank.save(tmp_path, {"nodule": unit(0)})
    listed = iter([[old], [new]])  # the first is gone before it is opened
    monkeypatch.setattr(voxtell_bank, "_files", lambda folder: next(listed))
    assert set(voxtell_bank.load(tmp_path)) == {"nodule"}


def test_a_bank_that_never_holds_still_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(voxtell_bank, "_files", lambda folder: [tmp_path / "gone.npz"])
    with pytest.raises(EngineUnavailable, match="again and again"):
        voxtell_bank.load(tmp_path)


def test_what_is_added_while_a_bank_is_saved_stays(tmp_path, monkeypatch):
    """Another worker's file that comes when the bank has been read, and so is not in the new one."""
    voxtell_bank.save(tmp_path, {"nodule": unit(0)})

    def load_late(folder):
        found = load(folder)
        monkeypatch.undo()
        voxtell_bank.save(folder, {"effusion": unit(1)})
        return found

    load = voxtell_bank.load
    monkeypatch.setattr(voxtell_bank, "load", load_late)
    voxtell_bank.save(tmp_path, {"emphysema": unit(2)})
    assert set(voxtell_bank.load(tmp_path)) == {"nodule", "effusion", "emphysema"}


def test_a_bank_that_cannot_be_read_is_said(tmp_path):
    (tmp_path / f"{'0' * 64}.npz").mkdir()
    with pytest.raises(EngineUnavailable, match=r"cannot be read \(Is a directory\)"):
        voxtell_bank.load(tmp_path)


def test_a_full_disk_is_said_and_leaves_the_bank_as_it_was(tmp_path, monkeypatch):
    path = voxtell_bank.save(tmp_path, {"nodule": unit(0)})

    def full(self, target):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(voxtell_bank.Path, "replace", full)
    with pytest.raises(EngineError, match=r"cannot be kept.*No space left") as caught:
        voxtell_bank.save(tmp_path, {"effusion": unit(1)})
    assert str(tmp_path) not in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"labels": np.array(["a"])}, "no readable labels"),
        ({"labels": np.array(["a"]), "embeddings": np.zeros((1, 7), np.float16)}, "one row of 2560"),
        ({"labels": np.array(["a", "b"]), "embeddings": np.zeros((1, 2560), np.float16)}, "one row of 2560"),
        ({"labels": np.array(["a"]), "embeddings": np.full((1, 2560), np.nan, np.float16)}, "not numbers"),
        ({"labels": np.array([{"a": 1}]), "embeddings": np.zeros((1, 2560), np.float16)}, "no readable labels"),
    ],
)
def test_what_is_no_bank_is_said_and_never_unpickled(tmp_path, arrays, words):
    import hashlib

    np.savez(tmp_path / "made.npz", **arrays)
    data = (tmp_path / "made.npz").read_bytes()
    (tmp_path / "made.npz").rename(tmp_path / f"{hashlib.sha256(data).hexdigest()}.npz")
    with pytest.raises(EngineUnavailable, match=words):
        voxtell_bank.load(tmp_path)


# -- the reader's order -----------------------------------------------------------------------------------------------


def test_the_readers_order_turns_front_and_side_and_keeps_height():
    """[k, j, i] 0..23; in the reader's order the first voxel of a slice is the most posterior left one: j = 2, i = 3."""
    house = np.arange(24).reshape(2, 3, 4)
    assert to_reader(house)[1, 0, 0] == 12 + 2 * 4 + 3
    assert np.array_equal(from_reader(to_reader(house)), house)


def test_the_file_that_is_sent_lies_as_the_scan_does(tmp_path):
    import nibabel as nib

    path = tmp_path / "scan.nii.gz"
    house = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path.write_bytes(nifti_bytes(house, GRID))
    image = nib.load(path)
    assert nib.aff2axcodes(image.affine) == ("L", "P", "S")
    assert np.array_equal(np.asarray(image.dataobj), house.transpose(2, 1, 0))
    assert image.header.get_zooms() == pytest.approx((0.7, 0.9, 2.5))


# -- in words ---------------------------------------------------------------------------------------------------------


def test_without_a_model_or_the_package_it_says_what_is_missing(folder):
    with pytest.raises(EngineUnavailable, match="VOXTELL_MODEL"):
        registry.make("voxtell")
    with pytest.raises(EngineUnavailable, match="VOXTELL_URLS"):
        registry.make("voxtell-http")
    with pytest.raises(EngineUnavailable, match=r"requirements-gpu\.txt"):
        registry.make("voxtell", model=str(folder))


class InferenceCancelled(RuntimeError):
    """Named as the package's own."""


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (InferenceCancelled("by user"), GroundingCancelled, "stopped"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), EngineError, "more memory than"),
        (RuntimeError("operator torchvision::nms does not exist"), EngineUnavailable, "pip uninstall torchvision"),
        (RuntimeError("CUDA error: device-side assert triggered"), EngineUnavailable, "GPU does not work"),
        (RuntimeError("Encountered inf in predicted array."), EngineError, "not a number"),
        (KeyError("network_weights"), EngineError, "VoxTell stopped with an error"),
    ],
)
def test_what_goes_wrong_inside_is_said_in_words(raised, kind, words):
    with pytest.raises(EngineError, match=words) as caught, voxtell.said_plainly("VoxTell"):
        raise raised
    assert type(caught.value) is kind


def test_what_the_package_says_in_its_own_words_is_logged_and_not_shown(caplog):
    with pytest.raises(EngineError) as caught, voxtell.said_plainly("VoxTell"):
        raise KeyError("/srv/voxtell/secret")
    assert str(caught.value) == "VoxTell stopped with an error (KeyError)."
    assert "/srv/voxtell/secret" in caplog.text


def test_memory_that_ran_out_while_patches_were_copied_is_recognised():
    """The package wraps what its other thread raised."""
    outer = RuntimeError("Sliding-window patch producer thread failed")
    outer.__cause__ = RuntimeError("CUDA out of memory")
    assert voxtell.is_out_of_memory(outer)
    assert not voxtell.is_out_of_memory(RuntimeError("something else"))


def test_sentences_that_cannot_be_asked_get_a_note():
    engine = voxtell.VoxTell(predictor=None, model="none", vectors={})
    answers = engine.ground(np.zeros(GRID.size, np.int16), GRID, ["", "x" * (MAX_CHARACTERS + 1), "Ein Rundherd links"])
    assert [answer.mask.is_empty for answer in answers] == [True] * 3
    assert "empty" in answers[0].note
    assert "1,001 characters" in answers[1].note
    assert "has not been embedded" in answers[2].note
    assert [answer.asked for answer in answers] == [True, True, False]  # only the last could be asked some day
