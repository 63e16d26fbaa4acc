"""The small network: a CT is encoded once, every sentence is decoded by itself. torch is imported here, when it is asked for.

A 3-D U-Net of about 1.6 million weights. Every block of the decoder is scaled and shifted by the sentence, and biased by the
map of where its words allow the finding to lie: without that bias such a network picks the right kind of finding in the
wrong place as often as by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quiz.grounding.inputs import CHANNELS, TRAITS, WORDS

if TYPE_CHECKING:
    import torch

WIDTHS = (16, 32, 64, 96)
TEXT = 128
MULTIPLE = 16
"""Sizes of volumes must be multiples of this."""
HEAD = 8


def build() -> Any:
    """A new network with random weights. Raises ImportError without torch."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Block(nn.Module):
        """Convolution and GroupNorm, with the input added back where it fits."""

        def __init__(self, wide_in: int, wide: int, stride: int = 1) -> None:
            super().__init__()
            self.conv = nn.Conv3d(wide_in, wide, 3, stride=stride, padding=1, bias=False)
            self.norm = nn.GroupNorm(8, wide)
            self.same = wide_in == wide and stride == 1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = F.relu(self.norm(self.conv(x)), inplace=True)
            return torch.add(x, y) if self.same else y

    class Told(nn.Module):
        """A block whose output the sentence scales and shifts, biased by the map of places."""

        def __init__(self, wide: int, *, normed: bool = True) -> None:
            super().__init__()
            self.conv = nn.Conv3d(wide, wide, 3, padding=1, bias=False)
            self.norm = nn.GroupNorm(8, wide, affine=False) if normed else nn.Identity()
            self.words = nn.Linear(TEXT, 3 * wide)
            nn.init.normal_(self.words.weight, std=0.02)
            nn.init.zeros_(self.words.bias)
            with torch.no_grad():
                self.words.bias[2 * wide :] = 0.5

        def forward(self, x: torch.Tensor, text: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
            scale, shift, weight = self.words(text)[:, :, None, None, None].chunk(3, dim=1)
            y = self.norm(self.conv(x)) * (1 + scale) + shift + weight * (2 * place - 1)
            return x + F.relu(y, inplace=True)

    class Sentence(nn.Module):
        """Traits and words of a sentence to one vector."""

        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(WORDS, 64, padding_idx=0)
            self.conv = nn.Conv1d(64, 64, 3, padding=1)
            self.attend = nn.Linear(64, 1)
            self.mix = nn.Sequential(nn.Linear(TRAITS + 64, TEXT), nn.ReLU(), nn.Linear(TEXT, TEXT), nn.ReLU())

        def forward(self, traits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
            words = F.relu(self.conv(self.embed(tokens).transpose(1, 2)).transpose(1, 2))
            there = tokens > 0
            score = self.attend(words).squeeze(-1).masked_fill(~there, -1e4)
            pooled = (score.softmax(1) * there).unsqueeze(-1).mul(words).sum(1)
            out: torch.Tensor = self.mix(torch.cat([traits, pooled], dim=1))
            return out

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            a, b, c, d = WIDTHS
            self.sentence = Sentence()
            self.stem = nn.Sequential(Block(CHANNELS, a, 2), Block(a, a))
            self.down1 = nn.Sequential(Block(a, b, 2), Block(b, b))
            self.down2 = nn.Sequential(Block(b, c, 2), Block(c, c))
            self.down3 = nn.Sequential(Block(c, d, 2), Block(d, d), Block(d, d))
            self.told3, self.told2, self.told1 = Told(d), Told(c), Told(b)
            # Not normed: it must do the same in a cube as in the whole, and in training it sees cubes.
            self.told0 = Told(a, normed=False)
            self.more2 = Told(c)
            self.up3, self.up2, self.up1 = nn.Conv3d(d, c, 1), nn.Conv3d(c, b, 1), nn.Conv3d(b, a, 1)
            self.quarter, self.middle = nn.Conv3d(b, 1, 1), nn.Conv3d(a, 1, 1)
            self.narrow = nn.Conv3d(a, HEAD - 2, 1)
            self.head = nn.Conv3d(HEAD, HEAD, 3, padding=1)
            self.last = nn.Conv3d(HEAD, 1, 1)
            for late in (self.middle, self.last):
                nn.init.normal_(late.weight, std=0.01)
                nn.init.zeros_(late.bias)  # type: ignore[arg-type]
            nn.init.constant_(self.quarter.bias, -3.0)  # type: ignore[arg-type]

        def encode(self, volumes: torch.Tensor) -> list[torch.Tensor]:
            """volumes: [m, 8, k, j, i] -> features at 1/2, 1/4, 1/8 and 1/16."""
            x0 = self.stem(volumes)
            x1 = self.down1(x0)
            x2 = self.down2(x1)
            return [x0, x1, x2, self.down3(x2)]

        def decode(
            self, features: list[torch.Tensor], text: torch.Tensor, place: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """n sentences, on one CT or each on the CT whose features stand in its row. place: [n, 1, k/2, j/2, i/2].
            Gives logits [n, 1, k/4, j/4, i/4] and the features behind them."""
            n = len(text)
            places = [F.avg_pool3d(place, 2)]
            for _ in range(2):
                places.append(F.avg_pool3d(places[-1], 2))
            x1, x2, x3 = (x.expand(n, -1, -1, -1, -1) for x in features[1:])
            y = self.told3(x3, text, places[2])
            y = self.told2(x2 + _double(self.up3(y)), text, places[1])
            y = self.more2(y, text, places[1])
            y = self.told1(x1 + _double(self.up2(y)), text, places[0])
            return self.quarter(y), y

        def refine(
            self,
            logits: torch.Tensor,
            y: torch.Tensor,
            x0: torch.Tensor,
            text: torch.Tensor,
            place: torch.Tensor,
            windows: torch.Tensor,
        ) -> tuple[torch.Tensor, torch.Tensor]:
            """Logits at 1/2 and at full size, of the whole or of a cube of it. logits, y: from ``decode``. x0: the first
            features, place: the map, both at 1/2. windows: [n, 2, k, j, i], the first two channels."""
            z = self.told0(x0 + _double(self.up1(y)), text, place)
            half = _double(logits) + self.middle(z)
            x = F.relu(self.head(torch.cat([_double(self.narrow(z)), windows], dim=1)), inplace=True)
            return half, _double(half) + self.last(x)

    def _double(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False)

    return Network().to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
