"""DePT (Shi and Lipani, 2024, arXiv:2309.05173, section 2): a shorter input prompt, and a low-rank offset to the word
embeddings of the text, learned at a rate of its own.

The token at index i of the text, [CLS] or whatever stands first being 0, enters as its word embedding plus row i of
A B alpha / sqrt(rank): A `[S, rank]` starts uniform, up to 1 / sqrt(rank), and B `[rank, E]` as zeros, so that the
text starts as it is. Tokens from index S (`offset_length`) on are left as they are, and so are the prompt's rows,
wherever they stand: an index counts tokens of the text alone. The rate of A and B is `train.lrs.offset`.

Read for it: the abstract, and the authors' code (ZhengxiangShi/DePT: README, `peft/tuners/prompt_tuning_lora.py`,
`peft/peft_model.py`), whose scale and initial values these are. Differs from it: theirs pads a decoder's text on the
left to S tokens, so that there the offset goes by the distance from the end; their prompt starts from a text's words.
The prompt of a run that another starts from (`sources`) comes without its offset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from ptuning.methods.base import InputPromptMethod, PromptConfig
from ptuning.prompts.inits.base import Init
from ptuning.prompts.placement import Batch

if TYPE_CHECKING:
    from ptuning.backbones.backbone import Backbone


class DePT(InputPromptMethod):
    class Prompt(PromptConfig):
        offset_length: int = Field(ge=1, description="tokens of the text that are offset, from its first one on")
        rank: int = Field(ge=1, description="of the offset, a product of two matrices")
        alpha: float = Field(gt=0, description="the offset is scaled by alpha / sqrt(rank)")

    groups = ("prompt", "offset")

    def __init__(self, prompt: Prompt, backbone: Backbone, init: Init) -> None:
        super().__init__(prompt, backbone, init)
        drawn = torch.rand(prompt.offset_length, prompt.rank, generator=init.random) * 2 - 1
        self.offset_left = nn.Parameter(drawn * prompt.rank**-0.5)  # A
        self.offset_right = nn.Parameter(torch.zeros(prompt.rank, backbone.embedding))  # B
        self.scale = prompt.alpha * prompt.rank**-0.5

    def text(self, backbone: Backbone, batch: Batch, embeds: Tensor) -> tuple[Tensor, Tensor]:
        offset = functional.pad(self.offset_left @ self.offset_right * self.scale, (0, 0, 0, 1))  # [S + 1, E]
        real = (batch.slots < 0) & batch.attention_mask.bool()
        index = (real.cumsum(1) - 1).clamp(max=len(offset) - 1)  # in the text; the last row is of zeros
        return embeds + offset[index.where(real, len(offset) - 1)].to(embeds.dtype), batch.token_type_ids

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        return super().parameter_groups() | {"offset": [self.offset_left, self.offset_right]}

    def folded(self) -> dict[str, Tensor]:
        offset = {"offset_left": self.offset_left, "offset_right": self.offset_right}
        return super().folded() | {name: one.detach().clone() for name, one in offset.items()}

    def load_folded(self, state: dict[str, Tensor]) -> None:
        super().load_folded({"prompt": state["prompt"]})
        with torch.no_grad():
            self.offset_left.copy_(state["offset_left"])
            self.offset_right.copy_(state["offset_right"])
