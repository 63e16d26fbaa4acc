"""VoxTell in this process: the published package, unmodified, on a GPU and on the CT's own grid.

All sentences of a scan go through the network together. The package's steps are called one by one (embed, preprocess,
sliding window), because its one call for all of them gives masks only and no probabilities.
"""

import gc
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cases.imaging.geometry import Grid
from cases.imaging.masks import SparseMask, empty, from_dense
from quiz.grounding import voxtell_bank, voxtell_files
from quiz.grounding.base import EngineError, EngineUnavailable, Grounding, GroundingCancelled, Heat, Progress
from quiz.grounding.reader_order import to_reader
from quiz.grounding.sentence import MAX_CHARACTERS, parse

logger = logging.getLogger(__name__)

PACKAGE = "0.1.2"
"""The release this was written against and is tested with."""
LICENCE = "VoxTell weights: CC BY-NC-SA 4.0"
CELL_MM = 4.0
"""Cells of the heat are about this large; people are shown coarser ones."""
LEAST_PROBABILITY = 0.1
"""Heat below this is no opinion. Source: our choice."""

NOT_EMBEDDED = (
    "VoxTell was not asked: this sentence has not been embedded for it, and its text encoder is not set up here. "
    "Where it is, `manage.py embed_sentences` embeds it."
)
MARKS_NOTHING = "VoxTell marks nothing for this sentence."


class VoxTell:
    """The engine. predictor: the package's, loaded. vectors: embeddings by lower-case sentence. bank: the folder to which
    new ones are added; None if there is no text encoder to make them."""

    name = "voxtell"
    licence = LICENCE

    def __init__(self, predictor: Any, model: str, vectors: voxtell_bank.Vectors, bank: Path | None = None) -> None:
        self.version = model
        self._predictor = predictor
        self._vectors = dict(vectors)
        self._bank = bank

    def ground(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: Sequence[str], *, progress: Progress | None = None
    ) -> list[Grounding]:
        """See ``Grounder``. Where the GPU's memory is too small for all sentences at once, they are taken in parts."""
        tell = progress or (lambda done, total: True)
        why = NOT_EMBEDDED
        try:
            self.embed([one for one in sentences if can_be_asked(one)])
        except EngineError as error:  # what is in the bank can still be asked
            why = str(error)
        asked = [n for n, one in enumerate(sentences) if can_be_asked(one) and voxtell_bank.key(one) in self._vectors]
        if not tell(0, max(1, len(sentences))):
            raise GroundingCancelled("stopped before the scan was looked at")
        marks = dict(zip(asked, self._marks(voxels, grid, [sentences[n] for n in asked], tell), strict=True))
        return [marked(one, *marks[n]) if n in marks else unasked(one, grid, why) for n, one in enumerate(sentences)]

    def embed(self, sentences: Sequence[str]) -> int:
        """Embed and bank what is not in the bank yet, if there is a text encoder. Returns how many were new."""
        missing = sorted({voxtell_bank.key(one) for one in sentences} - set(self._vectors))
        if self._bank is None or not missing:
            return 0
        with said_plainly("The text encoder"):
            rows = self._predictor.embed_text_prompts(missing)[0].float().cpu().numpy()
        if not np.isfinite(rows).all():
            raise EngineError("The text encoder's answer is not a number; its weights may be damaged.")
        self._vectors |= dict(zip(missing, rows.astype(np.float16), strict=True))
        voxtell_bank.save(self._bank, self._vectors)
        return len(missing)

    def _marks(
        self, voxels: NDArray[np.int16], grid: Grid, sentences: list[str], tell: Progress
    ) -> list[tuple[SparseMask, Heat, float]]:
        """Mask, heat and mean probability inside the mask, of each sentence."""
        marks: list[tuple[SparseMask, Heat, float]] = []
        if not sentences:
            return marks
        with said_plainly("VoxTell"):
            scan, box, shape = self._predictor.preprocess(to_reader(voxels))
            at_once, on_gpu = len(sentences), True
            while len(marks) < len(sentences):
                chosen = sentences[len(marks) : len(marks) + at_once]
                logits = None
                try:
                    share = _share_of(tell, before=len(marks), now=len(chosen), of=len(sentences))
                    logits = self._logits(scan, chosen, share, on_gpu=on_gpu)
                except Exception as error:
                    if not is_out_of_memory(error) or not on_gpu:
                        raise
                    # Half of them; and a single one summed up in the machine's own memory, the patches still on the GPU.
                    at_once, on_gpu = max(1, at_once // 2), at_once > 1
                if logits is None:  # only now has the error let go of what it held on the GPU
                    self._free()
                    continue
                marks += [_read(one, box, shape, grid) for one in logits]
        return marks

    def _logits(self, scan: Any, sentences: list[str], tell: Callable[[int, int], bool], *, on_gpu: bool) -> Any:
        """Logits [sentence, z, y, x] of the cropped scan."""
        import torch

        rows = np.stack([self._vectors[voxtell_bank.key(one)] for one in sentences]).astype(np.float32)
        text = torch.from_numpy(rows)[None].to(self._predictor.device)
        self._predictor.perform_everything_on_device = on_gpu
        return self._predictor.predict_sliding_window_return_logits(scan, text, progress_callback=tell)

    def _free(self) -> None:
        import torch

        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def can_be_asked(sentence: str) -> bool:
    return bool(sentence.strip()) and len(sentence) <= MAX_CHARACTERS


def marked(sentence: str, mask: SparseMask, heat: Heat | None, confidence: float) -> Grounding:
    """The answer to a sentence that was asked."""
    read = parse(sentence)
    note = MARKS_NOTHING if mask.is_empty else "" if read.category else read.note
    return Grounding(sentence, mask, heat, confidence, read.as_attributes(), note)


def unasked(sentence: str, grid: Grid, why: str) -> Grounding:
    """The answer to a sentence that was not asked: nothing, and why."""
    read, could = parse(sentence), can_be_asked(sentence)
    note = why if could else read.note
    return Grounding(sentence, empty(grid.size), None, 0.0, read.as_attributes(), note, asked=not could)


def _share_of(tell: Progress, *, before: int, now: int, of: int) -> Callable[[int, int], bool]:
    """Progress of one pass as part of all: in patches, each counted once per sentence."""
    return lambda done, patches: tell(before * patches + done * now, of * patches)


def _read(
    logits: Any, box: Sequence[Sequence[int]], shape: tuple[int, ...], grid: Grid
) -> tuple[SparseMask, Heat, float]:
    """One sentence's logits [z, y, x] of the crop ``box`` of a scan of ``shape``, on the scan's grid in house order."""
    import torch

    if torch.isnan(logits).any():
        raise EngineError("VoxTell's answer is not a number; its weights may be damaged.")
    if tuple(logits.shape) != tuple(shape):
        whole = logits.new_full(tuple(shape), -math.inf)
        whole[tuple(slice(start, stop) for start, stop in box)] = logits
        logits = whole
    house = logits.flip(1, 2)
    inside = house > 0
    probability = torch.sigmoid(house.float())
    confidence = float(probability[inside].mean()) if bool(inside.any()) else 0.0
    k, j, i = (max(1, round(CELL_MM / mm)) for mm in grid.spacing_mm)
    cells = torch.nn.functional.max_pool3d(probability[None, None], (k, j, i), (k, j, i), ceil_mode=True)[0, 0]
    cells[cells < LEAST_PROBABILITY] = 0
    heat = Heat((255 * cells).round().to(torch.uint8).cpu().numpy(), (k, j, i))
    return from_dense(inside.cpu().numpy()), heat, confidence


# -- what can go wrong ------------------------------------------------------------------------------------------------


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether memory was short; the package wraps what goes wrong while patches are copied to the GPU."""
    while error is not None:
        if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
            return True
        error = error.__cause__
    return False


@contextmanager
def said_plainly(who: str) -> Iterator[None]:
    """What the package and torch raise, as errors of an engine with sentences for people."""
    try:
        yield
    except EngineError:
        raise
    except Exception as error:
        raise _in_words(who, error) from error


def _in_words(who: str, error: Exception) -> EngineError:
    if type(error).__name__ == "InferenceCancelled":  # the package's own; it may not be importable here
        return GroundingCancelled("stopped while the scan was looked at")
    logger.error("%s stopped with an error", who, exc_info=error)
    if is_out_of_memory(error):
        return EngineError(
            f"{who} needs more memory than this machine's GPU has free, even for one sentence at a time. "
            "Another program may be using it; a larger GPU would help."
        )
    if "torchvision" in str(error):
        return EngineUnavailable(TORCHVISION)
    if "inf" in str(error).lower().split():
        return EngineError("VoxTell's answer is not a number; its weights may be damaged.")
    if "CUDA" in str(error):
        return EngineUnavailable("The GPU does not work any more. Start this worker again.")
    return EngineError(f"{who} stopped with an error ({type(error).__name__}).")


TORCHVISION = (
    "The torchvision that is installed was built for another torch, so VoxTell's text encoder cannot be loaded. Without "
    "a GPU run `pip uninstall torchvision`; with one install the pair that requirements-gpu.txt names."
)


# -- opening ----------------------------------------------------------------------------------------------------------


def make(*, model: str = "", sha256: str = "", bank: str = "", text_model: str = "", device: str = "cuda") -> VoxTell:
    """The engine, ready to work.

    model: a folder of the published form; sha256: its checksum (``voxtell_files``). bank: folder of the embedding bank.
    text_model: name or folder of the text encoder; "" to answer only what is in the bank, and fetch nothing. device:
    "cuda", "cuda:1" ... or "cpu", which takes hours for a scan. Raises EngineUnavailable.
    """
    if not model:
        raise EngineUnavailable("No VoxTell model is set up here: VOXTELL_MODEL names its folder (docs/gpu.md).")
    predictor = _package()
    _check_device(device)
    digest = voxtell_files.verify(Path(model), sha256)
    vectors = voxtell_bank.load(Path(bank)) if bank else {}
    if text_model:
        if not bank:
            raise EngineUnavailable("VOXTELL_BANK has to name the folder in which embedded sentences are kept.")
        _check_torchvision()
    elif not vectors:
        raise EngineUnavailable(
            f"VoxTell could be asked nothing: there is no embedding bank in {bank or 'VOXTELL_BANK'}, and no text encoder "
            "(VOXTELL_TEXT_MODEL) to make one."
        )
    try:
        loaded = predictor(model, device, text_model)
    except Exception as error:  # whatever is wrong in the folder comes out of torch, json or the network's class
        if is_out_of_memory(error):
            raise EngineUnavailable("There is not enough memory here to load VoxTell.") from error
        raise EngineUnavailable(
            f"The VoxTell model in {model} cannot be loaded: {_in_words('VoxTell', error)}"
        ) from error
    return VoxTell(loaded, f"{Path(model).name[:40]} {digest[:12]}", vectors, Path(bank) if text_model else None)


def _package() -> Callable[[str, str, str], Any]:
    """What makes the package's predictor. Raises EngineUnavailable if it is not here, or is another release."""
    try:
        found = version("voxtell")
    except PackageNotFoundError as error:
        raise EngineUnavailable(
            "The voxtell package is not installed in this environment (requirements-gpu.txt, docs/gpu.md)."
        ) from error
    if found != PACKAGE:
        raise EngineUnavailable(f"voxtell {found} is installed; this was made for voxtell {PACKAGE}.")
    try:
        torch, module = import_module("torch"), import_module("voxtell.inference.predictor")
    except Exception as error:  # a wrong pair of torch and torchvision raises RuntimeError, a missing library OSError
        raise EngineUnavailable(f"VoxTell cannot be imported: {_in_words('It', error)}") from error
    return lambda model, device, text_model: module.VoxTellPredictor(
        model_dir=model,
        device=torch.device(device),
        text_encoding_model=text_model,
        embedding_bank={},
        use_precomputed_embeddings=False,
    )


def _check_device(device: str) -> None:
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        built = "" if torch.version.cuda else f" (torch {torch.__version__} is built without CUDA)"
        raise EngineUnavailable(
            f"VoxTell needs a GPU, and torch finds none here{built}. VOXTELL_DEVICE=cpu would take hours for a scan."
        )


def _check_torchvision() -> None:
    if find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except Exception as error:
        raise EngineUnavailable(TORCHVISION) from error
