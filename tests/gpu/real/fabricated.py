"""Model folders for the unmodified package without its weights: the published architecture, as small as it can be asked for.

Widths and depths are fixed inside the package (340 million parameters); kernels, strides, blocks and the patch are not.
The names and shapes of the parameters are read off the network itself, built on torch's meta device, which costs no memory.
Tensors that are constant, or random, are views of one small buffer: torch.save writes the buffer only.
"""

import json
from pathlib import Path

import numpy as np
import torch

PATCH = 24
STRIDES = [1, 2, 1, 1, 1, 2]  # the fifth stage, which the text attends to, is 12^3 in the package whatever the patch
FEATURES = [32, 64, 128, 256, 320, 320]
WIDTH = 2560

PLANS = {
    "configurations": {
        "3d_fullres": {
            "patch_size": [PATCH] * 3,
            "architecture": {
                "arch_kwargs": {
                    "n_stages": 6,
                    "features_per_stage": FEATURES,
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "kernel_sizes": [[1, 1, 1]] * 6,
                    "strides": [[s] * 3 for s in STRIDES],
                    "n_blocks_per_stage": [1] * 6,
                    "n_conv_per_stage_decoder": [1] * 5,
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
    }
}


def parameters() -> dict[str, torch.Tensor]:
    """Every tensor of the network's state on the meta device: names and shapes without content."""
    import pydoc

    from voxtell.model.voxtell_model import VoxTellModel

    wanted = PLANS["configurations"]["3d_fullres"]["architecture"]
    arguments = dict(wanted["arch_kwargs"])
    for name in wanted["_kw_requires_import"]:
        arguments[name] = pydoc.locate(arguments[name]) if arguments[name] else None
    with torch.device("meta"):
        network = VoxTellModel(
            input_channels=1, **arguments, decoder_layer=4, text_embedding_dim=WIDTH, num_maskformer_stages=5,
            num_heads=32, query_dim=2048, project_to_decoder_hidden_dim=2048, deep_supervision=False,
        )  # fmt: skip
    return network.state_dict()


def _is_norm(name: str, tensor: torch.Tensor) -> bool:
    return tensor.ndim == 1 and name.endswith("weight")


def _said_once(name: str) -> str:
    """The network holds its encoder twice, and each convolution and norm both by name and in a list."""
    name = name.replace("decoder.encoder.", "encoder.")
    return name.replace(".all_modules.0.", ".conv.").replace(".all_modules.1.", ".norm.")


def any_weights() -> dict[str, torch.Tensor]:
    """Small random numbers everywhere, norms at 1: an answer that means nothing, of the right kind."""
    buffer = 0.02 * torch.randn(4099, generator=torch.Generator().manual_seed(7))
    one = torch.ones(())

    def fill(name: str, like: torch.Tensor) -> torch.Tensor:
        if _is_norm(name, like):
            return one.expand(like.shape)
        strides = [1] * like.ndim  # overlapping: neighbours along any axis differ by one place in the buffer
        reach = sum(size - 1 for size in like.shape) + 1
        if reach > len(buffer):
            strides[0], reach = 0, reach - like.shape[0] + 1
        return buffer.as_strided(tuple(like.shape), strides)

    return {name: fill(name, like) for name, like in parameters().items()}


def wired_weights() -> dict[str, torch.Tensor]:
    """By hand, so that the answer is known: a sentence embedded as unit vector 0 marks what is bright, as unit vector 1
    what is dark; nothing else in the picture matters.

    The stem copies the image to channel 0 and its negative to channel 1; the last stage of the decoder takes those two
    from the first skip, each brought to mean 0 and deviation 1 and lowered by 1. The text's first two numbers pass
    through to the first two of the mask embedding. All else is 0.
    """
    zero, one = torch.zeros(()), torch.ones(())
    weights = {name: (one if _is_norm(name, like) else zero).expand(like.shape) for name, like in parameters().items()}

    def wire(parameter: str, **cells: float) -> None:
        names = [name for name in weights if _said_once(name) == parameter]
        assert names, parameter
        dense = weights[names[0]].clone()
        for cell, value in cells.items():
            dense[tuple(int(n) for n in cell[1:].split("_"))] = value
        weights.update(dict.fromkeys(names, dense))

    wire("encoder.stem.convs.0.conv.weight", _0_0_0_0_0=1.0, _1_0_0_0_0=-1.0)
    # The last stage sees 32 channels from below, then the 32 of the first skip.
    wire("decoder.stages.4.convs.0.conv.weight", _0_32_0_0_0=1.0, _1_33_0_0_0=1.0)
    wire("decoder.stages.4.convs.0.norm.bias", _0=-1.0, _1=-1.0)
    for layer in ("project_text_embed.0.weight", "project_text_embed.2.weight"):
        wire(layer, _0_0=1.0, _1_1=1.0)
    # The last LayerNorm makes of a unit vector of width 2048 one that is sqrt(2047) = 45.2 there.
    wire("project_to_decoder_channels.0.0.weight", _0_0=1 / 45.2, _1_1=1 / 45.2)
    wire("project_to_decoder_channels.0.2.weight", _0_0=1.0, _1_1=1.0)
    return weights


def write(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    """A model folder as the package reads it."""
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(PLANS))
    torch.save({"network_weights": weights}, folder / "fold_0" / "checkpoint_final.pth")
    return folder


def unit_vectors(*sentences: str) -> dict[str, np.ndarray]:
    """Sentence n embedded as unit vector n."""
    return {sentence: np.eye(WIDTH, dtype=np.float16)[n] for n, sentence in enumerate(sentences)}
