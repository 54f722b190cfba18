"""Peak memory: what a GPU allocated, or how far the process's resident size grew.

A process that has run something keeps much of what it freed, so that on a CPU only one of its own tells what training
takes: `python -m experiments.benchmark.memory minilm_l6 rte 32 p_tuning_v2 20` prints it in bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

import psutil
import torch

from experiments.benchmark.ours import Ours
from experiments.benchmark.work import SHAPES, Work, backbone, texts
from experiments.output import escape_unprintable
from ptuning.training.budget import Budget
from ptuning.training.measure import SOLO

# glibc returns blocks of this size (bytes) and more as soon as they are freed, as long as the bound is set: what is
# resident is then what is in use, and the same from process to process. Other systems do not look at it.
GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": "131072"}


@contextmanager
def peak(device: torch.device) -> Iterator[list[float]]:
    """Bytes beyond what was there before: the GPU's allocations, or the process's resident size, looked at every 10
    ms."""
    found = [0.0]
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        yield found
        found[0] = float(torch.cuda.max_memory_allocated(device) - before)
        return
    process, done = psutil.Process(), Event()
    resident = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.01):
            found[0] = max(found[0], float(process.memory_info().rss - resident))

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


def of_training(work: Work, method: str, length: int) -> float:
    """Bytes that one run of ours takes at its peak, beyond backbone and prompt as they were loaded.

    Two steps tell: AdamW's moments are there in the second.
    """
    two = dataclasses.replace(work, examples=texts(work.task, 2 * work.batch_size))
    ours = Ours(two, backbone(two), Budget(SOLO))  # a lone run's: not measured, for nothing may have run
    epoch = ours.prepare(method=method, length=length)()
    with peak(work.device) as found:
        epoch()
    return found[0]


def alone(work: Work, method: str, length: int) -> float:
    """`of_training` on a CPU, in a process of its own."""
    told = [work.shape, work.task, work.batch_size, method, length]
    command = [sys.executable, "-m", "experiments.benchmark.memory", *map(str, told)]
    done = subprocess.run(command, env=os.environ | GIVE_BACK, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    escape_unprintable()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("task", choices=["rte", "boolq"])
    parser.add_argument("batch_size", type=int)
    parser.add_argument("method", choices=["prompt_tuning", "p_tuning_v2"])
    parser.add_argument("length", type=int, help="of the prompt")
    given = parser.parse_args()
    work = Work(given.task, given.shape, texts(given.task, 1), torch.device("cpu"), given.batch_size)
    print(of_training(work, given.method, given.length))


if __name__ == "__main__":
    main()
