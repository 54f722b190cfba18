"""What prompt length costs: `python -m experiments.benchmark.prompt_length [--shape minilm_l6] [--task rte]`.

One run of ours with prompts at the input (Prompt Tuning) and in every layer (P-Tuning v2), all lengths of both in
turns; on a CPU the memory of each is then measured apart. Some four minutes on 2 cores. Writes
results/benchmarks/<shape>-<task>-<device>-lengths.{json,md,png,svg}.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from experiments.benchmark import machine, memory, report
from experiments.benchmark.ours import Ours
from experiments.benchmark.race import race, spread
from experiments.benchmark.work import MAX_LENGTH, SHAPES, Work, texts
from experiments.output import escape_unprintable

LENGTHS = (1, 8, 20, 64, 100, 200)
METHODS = ("prompt_tuning", "p_tuning_v2")


class Point(NamedTuple):
    """A prompt: where it is, and how long."""

    method: str
    length: int


def benchmark(work: Work, rounds: int, lengths: Sequence[int] = LENGTHS) -> dict[str, Any]:
    """All measurements of one work, whose own prompt length counts for nothing here."""
    ours = Ours.on(work)
    points = [Point(method, length) for length in lengths for method in METHODS]
    contestants = {point: ours.prepare(method=point.method, length=point.length) for point in points}
    seconds, peaks = race(contestants, work.device, rounds, f"{work.shape} {work.task}")
    if work.device.type == "cpu":
        peaks = _apart(work, points)
    return {
        "kind": "lengths",
        "work": {
            "task": work.task, "shape": work.shape, "examples": len(work.examples), "tokens": work.tokens,
            "batch_size": work.batch_size, "max_length": MAX_LENGTH, "rounds": rounds,
        },
        "device": machine.device(work),
        "points": [
            {
                **point._asdict(),
                "trained_parameters": _trained(ours, point),
                "examples_per_second": spread([len(work.examples) / took for took in seconds[point]]),
                "peak_memory_mb": peaks[point] / 2**20,
            }
            for point in points
        ],
    }  # fmt: skip


def _apart(work: Work, points: Sequence[Point]) -> dict[Point, float]:
    """Peak memory of each point in a process of its own: two at once, as nothing is timed."""
    with ThreadPoolExecutor(2) as pool:
        found = pool.map(partial(_alone, work), points)
        return dict(zip(points, tqdm(found, desc="peak memory", total=len(points), unit="process"), strict=True))


def _alone(work: Work, point: Point) -> float:
    return memory.alone(work, point.method, point.length)


def _trained(ours: Ours, point: Point) -> int:
    """Parameters of prompt and head."""
    (lane,) = ours.lanes(1, point.method, length=point.length)
    return sum(parameter.numel() for parameter in lane.parameters)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--shape", choices=sorted(SHAPES), default="minilm_l6")
    made.add_argument("--task", choices=["rte", "boolq"], default="rte")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--examples", type=int, default=128, help="of each epoch")
    made.add_argument("--out", type=Path, default=Path("results/benchmarks"))
    return made


def main() -> None:
    escape_unprintable()
    given = parser().parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    result = benchmark(Work(given.task, given.shape, texts(given.task, given.examples), device), given.rounds)
    print(report.write(given.out / f"{given.shape}-{given.task}-{device.type}-lengths.json", result))


if __name__ == "__main__":
    main()
