"""GLUE's official files in small: what they look like, and the same rows as parts of GLUE are handed on in JSON."""

from __future__ import annotations

import json
from pathlib import Path

from ptuning import tasks

FILES = {  # with a quotation mark that is none, an empty cell, and a byte-order mark where the official file has one
    "sst2": 'sentence\tlabel\nit is " good \t1\nit is bad\t0\n',
    "cola": "gj04\t1\t\tAnn sleeps.\ncj99\t0\t*\tAnn sleep.",
    "mrpc": (
        "\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String\n"
        '1\t10\t20\tAnn " left .\t" Ann went .\n0\t11\t21\tA .\tB .\n'
    ),
    "stsb": (
        "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore\n"
        '0\tmain-captions\tMSRvid\t2012test\t0001\tnone\tnone\tA " plane.\tA plane.\t5.000\n'
        "1\tmain-captions\tMSRvid\t2012test\t0004\tnone\tnone\tA man.\tA dog.\t0.600\n"
    ),
    "mnli": (
        "index\tpairID\tgenre\tsentence1_parse\tsentence1\tsentence2\tlabel1\tgold_label\n"
        '0\t1e\tfiction\t(ROOT)\tAnn " left.\tAnn went.\tneutral\tentailment\n'
        "1\t1c\tfiction\t(ROOT)\tAnn left.\tAnn slept.\tneutral\tneutral\n"
        "2\t1n\tfiction\t(ROOT)\tAnn left.\tAnn stayed.\tneutral\tcontradiction\n"
    ),
    "qnli": "index\tquestion\tsentence\tlabel\n0\tWho?\tAnn.\tentailment\n1\tWho?\tHere.\tnot_entailment\n",
    "qqp": "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"
    "7\t1\t2\tWho?\tWhich one?\t1\n8\t3\t4\tWho?\tWhy?\t0\n",
}
FILES["snli"] = FILES["mnli"]
ROWS: dict[str, list[dict[str, object]]] = {  # what they hold
    "sst2": [{"sentence": 'it is " good ', "label": 1}, {"sentence": "it is bad", "label": 0}],
    "cola": [{"sentence": "Ann sleeps.", "label": 1}, {"sentence": "Ann sleep.", "label": 0}],
    "mrpc": [
        {"sentence1": 'Ann " left .', "sentence2": '" Ann went .', "label": 1},
        {"sentence1": "A .", "sentence2": "B .", "label": 0},
    ],
    "stsb": [
        {"sentence1": 'A " plane.', "sentence2": "A plane.", "score": 5.0},
        {"sentence1": "A man.", "sentence2": "A dog.", "score": 0.6},
    ],
    "mnli": [
        {"premise": 'Ann " left.', "hypothesis": "Ann went.", "label": "entailment"},
        {"premise": "Ann left.", "hypothesis": "Ann slept.", "label": "neutral"},
        {"premise": "Ann left.", "hypothesis": "Ann stayed.", "label": "contradiction"},
    ],
    "qnli": [
        {"question": "Who?", "sentence": "Ann.", "label": "entailment"},
        {"question": "Who?", "sentence": "Here.", "label": "not_entailment"},
    ],
    "qqp": [
        {"question1": "Who?", "question2": "Which one?", "label": 1},
        {"question1": "Who?", "question2": "Why?", "label": 0},
    ],
}
ROWS["snli"] = ROWS["mnli"]


def as_json(name: str) -> str:
    """The rows as an object of objects."""
    texts = list(tasks.load(name).texts)  # type: ignore[attr-defined]
    rows = [{"text_a": row[texts[0]], "text_b": row[texts[1]], "label": str(row["label"])} for row in ROWS[name]]
    return json.dumps({str(number): row for number, row in enumerate(rows)})


def save(root: Path, name: str) -> Path:
    """The files that the task looks for below `root`, the same in all splits. The training file's path."""
    task = tasks.load(name)
    for path in task.files.values():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(as_json(name) if path.endswith(".json") else FILES[name], encoding="utf-8")
    return root / task.files["train"]
