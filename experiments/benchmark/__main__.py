"""Run the benchmark on this machine's best device: `python -m experiments.benchmark [--shape minilm_l6] [--task rte]`.

All contestants do the same work in one process, A B C A B C, so that a disturbance hits them alike; ratios are taken
within a round. Writes results/benchmarks/<shape>-<task>-<device>.{json,md,png,svg}.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from experiments.benchmark import inference, machine, official, report, trainer
from experiments.benchmark.memory import peak
from experiments.benchmark.ours import Ours
from experiments.benchmark.race import race, spread
from experiments.benchmark.work import SHAPES, Contestant, Work, texts
from experiments.output import escape_unprintable
from ptuning.precision import native_precision
from ptuning.training.measure import timed

LANES = (1, 2, 4, 8, 16, 32)
LENGTHS = (1, 8, 20, 64, 100)
TASKS = 8  # of the mixed-task stream


def benchmark(work: Work, rounds: int, packed: int) -> dict[str, Any]:
    """All measurements of one work."""
    ours, noisy = Ours.on(work), Ours.on(work, dropout=0.1)
    third = ours.backbone.layers - ours.backbone.layers // 3 + 1
    contestants: dict[str, tuple[Contestant, int]] = {
        "official": (official.prepare(work), 1),
        "peft": (trainer.peft(work, 0.1), 1),
        "peft_no_dropout": (trainer.peft(work, 0.0), 1),
        "fine_tuning": (trainer.fine_tuning(work), 1),
        "ours": (ours.prepare(), 1),
        "ours_dropout": (noisy.prepare(), 1),
        "packed": (ours.prepare(lanes=packed), packed),
        "top_third": (ours.prepare(layers=f"{third}-{ours.backbone.layers}"), 1),
        "floor": (ours.floor(_best_floor(ours)), 1),
    }
    if _bf16_apart(work):
        half = Ours.on(work, precision=torch.bfloat16)
        contestants |= {
            "peft_bf16": (trainer.peft(work, 0.1, torch.bfloat16), 1),
            "ours_bf16": (half.prepare(), 1),
            "floor_bf16": (half.floor(_best_floor(half)), 1),
        }
    contestants["top_third"][0]()()  # its first epoch, in which the lower layers' outputs are kept
    seconds, memory = race(
        {name: one for name, (one, _) in contestants.items()}, work.device, rounds, f"{work.shape} {work.task}"
    )
    rates = {
        name: [runs * len(work.examples) / took for took in seconds[name]] for name, (_, runs) in contestants.items()
    }
    matrix = _matrix_rate(work)
    return {
        "kind": "contestants",
        "work": {
            "task": work.task, "shape": work.shape, "examples": len(work.examples), "tokens": work.tokens,
            "batch_size": work.batch_size, "prompt_length": work.length, "max_length": 128, "rounds": rounds,
            "packed_runs": packed, "top_third": f"{third}-{ours.backbone.layers}",
            "tokens_per_pass": ours.budget.tokens,
        },
        "device": machine.device(work, official="float32"),
        "ratios": {name: spread(values) for name, values in _ratios(rates).items()},
        "contestants": {
            name: {
                "examples_per_second": spread(rates[name]),
                "tokens_per_second": median(rates[name]) * work.tokens / len(work.examples),
                "share_of_floor": median(a / b for a, b in zip(rates[name], rates[_floor(name)], strict=True)),
                "peak_memory_mb": memory[name] / 2**20,
            }
            for name in contestants
        },
        "matrix": {
            "device_tflops": matrix,
            "packed_share": median(rates["packed"]) * _flops(ours) / 1e12 / matrix,
        },
        "memory_per_lane_mb": ours.memory_per_lane() / 2**20,
        "lanes": _lanes(work),
        "lengths": _lengths(work),
        "inference": {
            name: spread([len(work.examples) / took for took in times])
            for name, times in inference.compare(ours, TASKS, rounds).items()
        },
    }  # fmt: skip


def _ratios(rates: dict[str, list[float]]) -> dict[str, list[float]]:
    """Throughput ratios within each round; `floor_over_ours` is the floor's time over ours, 1 is the limit."""

    def over(one: str, other: str) -> list[float]:
        return [a / b for a, b in zip(rates[one], rates[other], strict=True)]

    ratios = {
        "ours_over_official": over("ours", "official"),
        "ours_over_peft": over("ours", "peft"),
        "ours_over_peft_no_dropout": over("ours", "peft_no_dropout"),
        "ours_over_fine_tuning": over("ours", "fine_tuning"),
        "floor_over_ours": over("ours", "floor"),
        "top_third_over_all": over("top_third", "ours"),
        "packed_over_official": over("packed", "official"),
        "packed_over_peft": over("packed", "peft"),
        "packed_over_ours": over("packed", "ours"),
        "dropout_off_over_on": over("ours", "ours_dropout"),
    }
    if "ours_bf16" in rates:
        ratios |= {
            "ours_bf16_over_official": over("ours_bf16", "official"),
            "ours_bf16_over_peft_bf16": over("ours_bf16", "peft_bf16"),
            "ours_bf16_over_ours": over("ours_bf16", "ours"),
            "floor_bf16_over_ours_bf16": over("floor_bf16", "ours_bf16"),
        }
    return ratios


def _bf16_apart(work: Work) -> bool:
    """Whether bf16 has contestants of its own: where the device multiplies it natively and the others are not in it
    already, as they are on a GPU."""
    return work.precision != torch.bfloat16 and native_precision(str(work.device)) == "bf16"


def _floor(contestant: str) -> str:
    """The floor in the contestant's precision."""
    return "floor_bf16" if contestant.endswith("_bf16") else "floor"


def _best_floor(ours: Ours) -> int:
    """Tokens a pass at which the floor is lowest."""
    sizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
    if ours.work.device.type == "cpu":
        sizes = sizes[:4]
    floors = {size: ours.floor(size)() for size in sizes}
    times = {size: min(timed(epoch, ours.work.device) for _ in range(3)) for size, epoch in floors.items()}
    return min(times, key=times.__getitem__)


def _matrix_rate(work: Work) -> float:
    """The device's matrix rate in the backbone's precision, TFLOP/s: the best of ten large products."""
    size = 8192 if work.device.type == "cuda" else 2048
    one, other = (torch.randn(size, size, device=work.device, dtype=work.precision) for _ in range(2))
    best = min(timed(lambda: _multiply(one, other), work.device) for _ in range(10))
    return 2 * size**3 / best / 1e12


def _multiply(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.mm(one, other)


def _flops(ours: Ours) -> float:
    """Operations in the matrix products with weights that one example's forward and activation-only backward take; in
    the last layer only keys and values of all tokens."""
    weights = sum(p.numel() for p in ours.backbone.parameters() if p.dim() == 2 and p.shape[0] < 20000)
    embeddings = sum(
        p.numel() for n, p in ours.backbone.named_parameters() if "embeddings" in n and p.shape[0] < 20000
    )
    inside = weights - embeddings
    last = inside / ours.backbone.layers - 2 * ours.backbone.hidden**2
    return 4.0 * (inside - last) * ours.work.tokens / len(ours.work.examples)


def _lanes(work: Work) -> list[dict[str, float]]:
    """How throughput and memory grow with the number of runs that share the backbone: small batches and, where the
    device has the power, the work's own."""
    points = []
    for size in (8,) if work.device.type == "cpu" else (8, work.batch_size):
        small = Work(work.task, work.shape, texts(work.task, 4 * size), work.device, size, work.length)
        ours = Ours.on(small)
        for lanes in tqdm(LANES, desc=f"lanes of batch size {size}"):
            contestant = ours.prepare(lanes)
            if lanes == LANES[0] or work.device.type == "cuda":
                contestant()()
            with peak(work.device) as found:
                took = median(timed(contestant(), work.device) for _ in range(3))
            points.append(
                {
                    "lanes": lanes,
                    "batch_size": size,
                    "examples_per_second": lanes * len(small.examples) / took,
                    "peak_memory_mb": found[0] / 2**20,
                }
            )
    return points


def _lengths(work: Work) -> list[dict[str, float]]:
    """How throughput falls with the prompt's length."""
    short = dataclasses.replace(work, examples=texts(work.task, 4 * work.batch_size))
    ours = Ours.on(short)
    points = []
    for length in tqdm(LENGTHS, desc="prompt lengths"):
        contestant = ours.prepare(length=length)
        contestant()()
        took = median(timed(contestant(), work.device) for _ in range(3))
        points.append({"length": length, "examples_per_second": len(short.examples) / took})
    return points


def main() -> None:
    escape_unprintable()
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs="+", choices=sorted(SHAPES),
                        default=["bert_large", "roberta_large"] if cuda else ["minilm_l6"])  # fmt: skip
    parser.add_argument("--task", nargs="+", choices=["rte", "boolq"], default=["rte", "boolq"])
    parser.add_argument("--rounds", type=int, default=5 if cuda else 3)
    parser.add_argument("--examples", type=int, default=256, help="of each epoch")
    parser.add_argument("--packed", type=int, default=32 if cuda else 4, help="runs of the packed sweep")
    parser.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    given = parser.parse_args()
    device = torch.device("cuda" if cuda else "cpu")
    given.out.mkdir(parents=True, exist_ok=True)
    for shape in given.shape:
        for task in given.task:
            result = benchmark(Work(task, shape, texts(task, given.examples), device), given.rounds, given.packed)
            print(report.write(given.out / f"{shape}-{task}-{device.type}.json", result))


if __name__ == "__main__":
    main()
