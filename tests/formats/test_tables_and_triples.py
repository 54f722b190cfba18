"""Comma-separated tables and WebNLG's XML: what is read, and what is refused at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ptuning.errors import InputError
from ptuning.formats import comma_separated, triples

TABLE = 'mr,ref\n"name[A], food[B]","A ""big"" pub, here."\n\n"name[C]",C .\n'
XML = """\
<?xml version='1.0' encoding='utf-8'?>
<benchmark>
  <entries><!-- a comment -->
    <entry category="Food" eid="Id1" size="2">
      <originaltripleset>
        <otriple>Ajo | country | Spain</otriple>
      </originaltripleset>
      <modifiedtripleset>
        <mtriple>Ajo | country | Spain &amp; more</mtriple>
        <mtriple>Ajo | main ingredient | "Garlic  x"</mtriple>
      </modifiedtripleset>
      <lex comment="good" lid="Id1">Ajo is
        from Spain.</lex>
      <lex comment="good" lid="Id2" />
    </entry>
    <entry category="City" eid="Id2" size="1">
      <modifiedtripleset><mtriple>Rome | is | big</mtriple></modifiedtripleset>
    </entry>
  </entries>
</benchmark>
"""


def put(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_table_has_the_lines_cells_with_commas_and_quotation_marks(tmp_path: Path) -> None:
    path = put(tmp_path, "\ufeff" + TABLE)
    assert comma_separated.table(path, ("mr", "ref")) == [
        (f"{path}:2", {"mr": "name[A], food[B]", "ref": 'A "big" pub, here.'}),
        (f"{path}:4", {"mr": "name[C]", "ref": "C ."}),
    ]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mr,ref", "mr,text", "1: the header is 'mr,text', not mr,ref: put the official file"),
        ("C .", "C , .", "4: the line has 3 cells, not 2 (mr, ref): correct"),
        ('"name[C]",C .', '"name[C]', "4: the line is no row of comma-separated values (a row a line) ("),
        ('"name[C]",C .', '"name[C]"x,C .', "4: the line is no row of comma-separated values (a row a line) ("),
        ("C .", "x" * 140_000, "4: the line is no row of comma-separated values (a row a line) ("),
    ],
)
def test_a_malformed_table_is_refused_at_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = put(tmp_path, TABLE.replace(old, new))
    with pytest.raises(InputError) as caught:
        comma_separated.table(path, ("mr", "ref"))
    assert str(caught.value).startswith(f"{path}:{message}") and "\n" not in str(caught.value)


def test_triples_have_their_texts_and_lines(tmp_path: Path) -> None:
    path = put(tmp_path, "\ufeff" + XML)
    assert triples.read(path) == [
        (
            f"{path}:4",
            {
                "category": "Food",
                "triples": [["Ajo", "country", "Spain & more"], ["Ajo", "main ingredient", '"Garlic x"']],
                "references": ["Ajo is from Spain.", ""],
            },
        ),
        (f"{path}:16", {"category": "City", "triples": [["Rome", "is", "big"]]}),
    ]


def test_a_folder_of_triples_is_read_in_order(tmp_path: Path) -> None:
    names = ["2triples/b.xml", "1triple/a.xml", "1triple/z.xml"]
    for name in names:
        put(tmp_path, XML, name)
    put(tmp_path, "no XML", "1triple/README.md")
    assert [where.partition(".xml")[0] for where, _ in triples.read(tmp_path)][::2] == [
        str(tmp_path / name).removesuffix(".xml") for name in sorted(names)
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty is a folder without any \*\.xml file: put the official files there"):
        triples.read(tmp_path / "empty")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("is | big", "is, big", "17: the triple 'Rome | is, big' is not 'subject | property | object'"),
        ("Rome | is", "Rome | in | is", "17: the triple 'Rome | in | is | big' is not"),
        ("Rome | is", " | is", "17: the triple '| is | big' is not"),
        ("</modifiedtripleset>\n    </entry>", "</modifiedtripleset><modifiedtripleset/></entry>",
         "16: the entry has 2 <modifiedtripleset>, not one with <mtriple>s"),
        ("<mtriple>Rome | is | big</mtriple>", "", "16: the entry has 1 <modifiedtripleset>, not one with <mtriple>s"),
        ("</entries>", "", "20: not valid XML (Opening and ending tag mismatch: entries line 3 and benchmark): put"),
        ("benchmark>", "html>", "2: the file is no WebNLG's XML"),
        (XML, "", "1: not valid XML ("),
        ("&amp;", "&other;", "9: not valid XML (Entity 'other' not defined): put the official file"),
        ("Rome", "R\x00me", "17: not valid XML ("),
    ],
)  # fmt: skip
def test_malformed_triples_are_refused_at_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = put(tmp_path, XML.replace(old, new))
    with pytest.raises(InputError) as caught:
        triples.read(path)
    assert str(caught.value).startswith(f"{path}:{message}") and "\n" not in str(caught.value), str(caught.value)


def test_no_other_file_is_read_through_an_entity(tmp_path: Path) -> None:
    secret = put(tmp_path, "secret", "other")
    declared = f'<!DOCTYPE benchmark [<!ENTITY x SYSTEM "{secret}">]>\n<benchmark>'
    path = put(tmp_path, XML.replace("<benchmark>", declared).replace("Rome", "&x;"))
    assert "secret" not in str(triples.read(path)).replace(str(tmp_path), "")
