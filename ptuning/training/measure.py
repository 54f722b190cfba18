"""The budget of a device, measured: how many tokens a pass should hold, and what a pass costs by itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Literal

import psutil
import torch
from torch import Tensor

from ptuning.backbones.backbone import Backbone
from ptuning.prompts.deep import DeepPrompt, SiteKey, SitePrompt, site_prompts
from ptuning.prompts.placement import Batch
from ptuning.training.budget import Budget, give_back_memory, out_of_memory

WIDTH, LENGTH = 64, 20  # tokens and prompt length of the rows that are measured
GAIN = 1.05  # a pass of twice the tokens must be this much faster a token to be worth its memory
MEMORY = 0.7  # share of the free memory that a pass may fill
LARGEST = 2**18
# Of a run that shares its backbone with no other, without measuring, so that it is the same to the last bit each time:
SOLO = 8192  # tokens in a pass: only its evaluation fills one
SOLO_OVERHEAD = {"cpu": 32}  # of a pass, in tokens; elsewhere so much that none is cut for its padding


def choose_budget(tokens_per_pass: int | Literal["auto"], lanes: int, backbone: Backbone) -> Budget:
    """The budget that the config gives, or under `auto` the measured one where several lanes share the backbone."""
    if tokens_per_pass != "auto":
        return Budget(tokens_per_pass)
    return measure(backbone) if lanes > 1 else Budget(SOLO, SOLO_OVERHEAD.get(backbone.device.type, SOLO))


def measure(backbone: Backbone) -> Budget:
    """The budget for training prompts on `backbone` where it is: the fewest tokens at which passes are about as fast
    a token as they get, within the memory that is free now. Takes seconds."""
    give_back_memory()  # what the last pack held
    backbone.train()  # with dropout and checkpointing, as it will be used
    if backbone.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(backbone.device)
    timed(lambda: _pass(backbone, WIDTH * 2), backbone.device)  # whatever happens once only
    room = MEMORY * _free(backbone.device)
    seconds: dict[int, float] = {}
    tokens = WIDTH * 8
    while tokens <= LARGEST:
        try:
            seconds[tokens] = min(timed(partial(_pass, backbone, tokens), backbone.device) for _ in range(2))
        except Exception as error:
            if not out_of_memory(error):
                raise
            break
        needed = 2 * _peak(backbone, tokens)
        if needed > room or _levelled_off(seconds, tokens):
            break
        tokens *= 2
    if not seconds:
        return Budget(WIDTH)
    rates = {tokens: tokens / time for tokens, time in seconds.items()}
    chosen = next(tokens for tokens, rate in rates.items() if rate * GAIN >= max(rates.values()))
    return Budget(chosen, _overhead(seconds))


def _levelled_off(seconds: dict[int, float], tokens: int) -> bool:
    return tokens // 2 in seconds and seconds[tokens] * GAIN >= 2 * seconds[tokens // 2]


def _overhead(seconds: dict[int, float]) -> int:
    """The tokens that would take as long as a pass's fixed cost, from the first and the last of the times."""
    (few, short), (many, long) = min(seconds.items()), max(seconds.items())
    if many == few or long <= short:
        return WIDTH
    slope = (long - short) / (many - few)
    return max(WIDTH, int(short / slope - few))


def _free(device: torch.device) -> float:
    if device.type == "cuda":
        return float(torch.cuda.mem_get_info(device)[0])
    return float(psutil.virtual_memory().available)


def _peak(backbone: Backbone, tokens: int) -> float:
    """Bytes that a pass of `tokens` takes at its peak."""
    if backbone.device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(backbone.device) - torch.cuda.memory_allocated(backbone.device))
    return 2.0 * _saved(backbone, WIDTH) * tokens / WIDTH  # what is kept for the backward pass, and as much again


def _saved(backbone: Backbone, tokens: int) -> int:
    """Bytes that autograd keeps for a pass of `tokens`."""
    kept: dict[int, int] = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in backbone.parameters()}

    def note(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _pass(backbone, tokens)
    return sum(kept.values())


def timed(act: Callable[[], None], device: torch.device) -> float:
    """Seconds that `act` takes, the device's part of it included."""
    _wait(device)
    began = time.perf_counter()
    act()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _pass(backbone: Backbone, tokens: int) -> None:
    """Forward and backward of `tokens` in rows of WIDTH, with a deep prompt at every site where there are any."""
    rows, device = tokens // WIDTH, backbone.device
    ids = torch.full((rows, WIDTH), 5, device=device)
    positions = torch.arange(WIDTH, device=device).expand(rows, -1) + backbone.first_position
    seen = torch.ones_like(ids)
    seen[:, -1] = 0  # a mask, as real batches have one
    batch = Batch(ids, ids * 0, positions, seen, ids * 0 - 1, ids[:, 0] * 0)
    with backbone.attending(_prompts(backbone, rows)):
        embeds = backbone.embed_tokens(batch).requires_grad_(not backbone.sites)
        backbone(embeds, batch.token_type_ids, batch).float().sum().backward()


def _prompts(backbone: Backbone, rows: int) -> dict[SiteKey, SitePrompt]:
    """A deep prompt at every site of the stack that heads read whose shape is the first one's; none where the family
    takes none."""
    stack = [site for site in backbone.sites.values() if site.stack == backbone.network.stack]
    if not stack:
        return {}
    sites = [site for site in stack if (site.kv_heads, site.head_dim) == (stack[0].kv_heads, stack[0].head_dim)]
    shape = (len(sites), 2, sites[0].kv_heads, LENGTH, sites[0].head_dim)
    values = torch.zeros(shape, device=backbone.device, requires_grad=True)
    return site_prompts([DeepPrompt(tuple(site.key for site in sites), values)], [rows])
