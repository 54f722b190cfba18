"""Small official files of the tasks that are answered with a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ptuning import tasks

NAMES = ["cnn_dailymail", "dart", "e2e", "webnlg", "xsum"]
E2E_TOKENISED = """\
mr,ref
"name[The Oak], eatType[pub], priceRange[more than £ 30]",The Oak is a pub . It 's more than £ 30 .
"name[The Oak], eatType[pub], priceRange[more than £ 30]","Not cheap , at £ 30 - 35 : the pub ' The Oak ' ."
"name[The Elm], area[riverside], familyFriendly[no]","The Elm , by the river , isn 't child - friendly ."
"""
E2E_AS_WRITTEN = """\
"mr","ref"
"name[The Ash], eatType[pub], priceRange[more than £30]","The Ash is a pub.  Prices are over £30 - a lot."
"name[The Fir], area[riverside], familyFriendly[no]","No families at The Fir ."
"name[The Ash], eatType[pub], priceRange[more than £30]","Over £30: The Ash."
"""
# category, triples, texts
TOLD: list[tuple[str, list[list[str]], list[str]]] = [
    ("Food", [["Ajo_(soup)", "country", "Spain"]], ["Ajo is from Spain.", "Spain's Ajo & more."]),
    ("Airport", [["EGX", "cityServed", "Exton"], ["Exton", "COUNTRY", "England"]], ["EGX serves Exton, England."]),
    ("Airport", [["EGX", "runwayLength", "900.0"]], ["EGX's runway is 900 long."]),
    ("Astronaut", [["Ann_Orr", "birthPlace", "Exton"]], ["Ann Orr was born in Exton."]),
    ("Food", [["Ajo_(soup)", "country", "Spain"]], ["Ajo comes from Spain."]),
]
DOCUMENTS = [
    ("The Oak has burnt. No one was hurt.\nIt was a pub.", "A pub has burnt.\nNo one was hurt."),
    ("Ann Orr left for the moon.", "Ann Orr has left."),
]


def xml(split: str) -> str:
    """The texts with a mark of their split, but for the data, which are the same in all."""
    entries = [
        f'    <entry category="{category}" eid="Id{number}" size="{len(triples)}">\n      <modifiedtripleset>\n'
        + "".join(f"        <mtriple>{' | '.join(triple)}</mtriple>\n" for triple in triples)
        + "      </modifiedtripleset>\n"
        + "".join(f'      <lex comment="good" lid="Id1">{_marked(text, split)}</lex>\n' for text in texts)
        + "    </entry>\n"
        for number, (category, triples, texts) in enumerate(TOLD, 1)
    ]
    return f"<benchmark>\n  <entries>\n{''.join(entries)}  </entries>\n</benchmark>\n"


def _marked(text: str, split: str) -> str:
    return text.replace("&", "&amp;").replace("Spain", f"Spain ({split})")


def content(name: str, split: str) -> str:
    """What is in the task's file of a split."""
    if name == "e2e":
        return E2E_AS_WRITTEN if split == "test" else E2E_TOKENISED.replace("The Oak", f"The {split.title()}")
    if name in ("webnlg", "dart"):
        return xml(split)
    task: Any = tasks.load(name)
    return "".join(
        json.dumps({task.document: document.replace("Ann", f"{split.title()}"), task.summary: summary, "id": "1"})
        + "\n"
        for document, summary in DOCUMENTS
    )


def save(root: Path, name: str) -> Path:
    """All the task's files below `root`. The training file's path."""
    paths = {}
    for split, file in tasks.load(name).files.items():
        paths[split] = root / file / f"2triples/2triples_Mix_{split}.xml" if name == "webnlg" else root / file
        paths[split].parent.mkdir(parents=True, exist_ok=True)
        paths[split].write_text(content(name, split), encoding="utf-8")
    return paths["train"]
