"""PEFT's prefix tuning and plain fine-tuning as people run them: transformers' Trainer, dynamic padding, random
batches, the work's precision (bf16: by autocast) or the one that is asked for."""

from __future__ import annotations

import tempfile
from typing import Any

import numpy as np
import torch
from accelerate.state import AcceleratorState
from transformers import PreTrainedModel, PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging

from experiments.benchmark.work import Contestant, Epoch, Work, classifier, padded


def peft(work: Work, dropout: float, precision: torch.dtype | None = None) -> Contestant:
    """PrefixTuningConfig with `work.length` virtual tokens; every dropout of the backbone at `dropout`."""
    from peft import PrefixTuningConfig, TaskType, get_peft_model

    prefix = PrefixTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=work.length)
    return _trained(work, get_peft_model(classifier(work.shape, dropout), prefix), 5e-3, precision or work.precision)


def fine_tuning(work: Work) -> Contestant:
    """Every weight, dropout on."""
    return _trained(work, classifier(work.shape, 0.1), 2e-5, work.precision)


class _Rows(torch.utils.data.Dataset):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


def _trained(work: Work, model: PreTrainedModel | Any, rate: float, precision: torch.dtype) -> Contestant:
    logging.set_verbosity_error()
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="ptuning-benchmark-"), per_device_train_batch_size=work.batch_size,
        num_train_epochs=1, learning_rate=rate, save_strategy="no", logging_strategy="no", report_to=[],
        disable_tqdm=True, bf16=precision == torch.bfloat16, use_cpu=work.device.type == "cpu",
        dataloader_pin_memory=work.device.type == "cuda", remove_unused_columns=False,
    )  # fmt: skip

    def fresh() -> Epoch:
        AcceleratorState._reset_state()  # it holds one precision a process, that of the first trainer
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=_Rows(len(work.examples)),
            data_collator=lambda rows: padded(work, np.array(rows)),
        )
        trainer.remove_callback(PrinterCallback)

        def epoch() -> None:
            trainer.train()

        return epoch

    return fresh
