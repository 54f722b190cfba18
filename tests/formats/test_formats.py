"""The official file formats: well-formed files, and malformed ones, which are refused at their file and line."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ptuning.errors import InputError
from ptuning.formats import conll2005, conll2012, ewt, json_files, squad
from ptuning.formats.columns import ner_columns, sentences

ONTONOTES = """\
#begin document (bc/cctv/00/cctv_0000); part 000
bc/cctv  0  0  Ada     NNP  (TOP(S(NP*)  -     -   -  Speaker#1  (PERSON)  (ARG0*)  (ARG0*)  (1)
bc/cctv  0  1  came    VBD  (VP*         come  01  1  Speaker#1  *         (V*)     *        -
bc/cctv  0  2  to      TO   (PP*         -     -   -  Speaker#1  *         (ARG4*   *        -
bc/cctv  0  3  New     NNP  (NP*         -     -   -  Speaker#1  (GPE*     *        *        (2
bc/cctv  0  4  York    NNP  *))          york  -   -  Speaker#1  *)        *)       *        2)
bc/cctv  0  5  reading VBG  (S*)))       read  01  1  Speaker#1  *         *        (V*)     -

bc/cctv  0  0  Yes     UH   (TOP*)       -     -   -  Speaker#1  *         -

#end document
"""
WORDS = "Ada\nreads\n.\n\nYes\n"
PROPS = "-     (A0*)\nread  (V*)\n-     *\n\n-\n"
TREEBANK = """\
# sent_id = email-enronsent-01-0001
0\tAda\tNNP\t(TOP(S(NP*)\t-\t-\t(ARG1*)
1\tis\tVBZ\t(VP*\tbe\tbe.03\t(V*)
2\tin\tIN\t*))\t-\t-\t(C-ARG1*)

# sent_id = weblog-blog-0001
0\tYes\tUH\t(TOP*)\t-\t-
"""


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(content: str | bytes, name: str = "file") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return save


Save = Callable[..., Path]


def refused(call: Callable[[], object], path: Path, message: str) -> None:
    """`message` is a plain text and follows the path, which opens the error."""
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(f"{path}{message}"), str(caught.value)


def test_json_lines_have_their_places(saved: Save) -> None:
    path = saved('{"a": 1}\n\n{"b": "é"}\r\n')
    assert json_files.json_lines(path) == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"b": "é"})]


@pytest.mark.parametrize(
    "line, message", [(b"{", "not valid JSON"), (b'"\xff"', "not valid UTF-8"), (b"[]", "the line")]
)
def test_a_malformed_json_line_is_refused(saved: Save, line: bytes, message: str) -> None:
    path = saved(b"{}\n\n" + line + b"\n")
    refused(lambda: json_files.json_lines(path), path, f":3: {message}")


def test_sentences_end_at_blank_lines_and_between_documents(saved: Save) -> None:
    path = saved(
        "-DOCSTART- -X- O\n\n\na O\nb O\n \t\nc O\n#end document\n#begin document (x); part 1\nd O\n-DOCSTART-\ne O"
    )
    found = sentences(path, 2)
    assert [sentence.column(0) for sentence in found] == [["a", "b"], ["c"], ["d"], ["e"]]
    assert [sentence.places for sentence in found][:2] == [[f"{path}:4", f"{path}:5"], [f"{path}:7"]]


def test_windows_line_ends_are_no_part_of_a_cell(saved: Save) -> None:
    (one, other) = sentences(saved("a\tO\r\nb\tB-X\r\n\r\nc\tO\r\n"), 2)
    assert (one.cells, other.cells) == ([["a", "O"], ["b", "B-X"]], [["c", "O"]])


def test_odd_spaces_are_words_and_no_separators(saved: Save) -> None:
    words = ["\u00a0", "\u3000", "x\u2009y", "\u2028", "\x85", "a b", "", " ", "\u200b"]
    (sentence,) = sentences(saved("".join(f"{word}\tO\n" for word in words)), 2)
    assert sentence.cells == [[word, "O"] for word in words]
    (sentence,) = sentences(saved("x\u00a0y   NN O\n\u00a0 NN  O \n"), 3)
    assert sentence.cells == [["x\u00a0y", "NN", "O"], ["\u00a0", "NN", "O"]]
    (sentence,) = sentences(saved("1\ta b\n"), None, "\t")
    assert sentence.cells == [["1", "a b"]]


def test_comments_are_kept_and_the_word_hash_is_a_word(saved: Save) -> None:
    path = saved("# sent_id = a-1\n# text = x = y\n#\tO\n#tag\tO\n\n# = O\n# # #\n\n# id = 2\n\nb O\n")
    one, other, last = sentences(path, None)
    assert one.comments == {"sent_id": "a-1", "text": "x = y"}
    assert one.cells == [["#", "O"], ["#tag", "O"]]
    assert (other.cells, other.comments) == ([["#", "=", "O"], ["#", "#", "#"]], {})
    assert (last.cells, last.comments) == ([["b", "O"]], {})


@pytest.mark.parametrize(
    "columns, content, message",
    [
        (2, "a O\nb\n", ":2: the line has 1 columns, not 2: "),
        (3, "a O\n", ":1: the line has 2 columns, not 3: "),
        (None, "a x O\n\na O\nb x O\n", ":4: the line has 3 columns, not 2: "),
        (2, "a\tO\nb\t\tO\n", ":2: the line has 3 columns, not 2: "),
        (2, "a\tO\nb\tO\t\n", ":2: the line has 3 columns, not 2: "),
        (2, "a O\n\u00a0\nb O\n", ":2: the line has 1 columns, not 2: "),
        (2, b"a O\n\xff O\n", ":2: not valid UTF-8 ("),
    ],
)
def test_malformed_columns_are_refused(saved: Save, columns: int | None, content: str | bytes, message: str) -> None:
    path = saved(content)
    refused(lambda: sentences(path, columns), path, message)


def test_ner_columns_are_the_first_and_the_last(saved: Save) -> None:
    path = saved("-DOCSTART- -X- -X- O\n\nEU NNP I-NP B-ORG\nrejects VBZ I-VP O\n")
    places = [f"{path}:3", f"{path}:4"]
    row = {"words": ["EU", "rejects"], "tags": ["B-ORG", "O"], "places": places}
    assert ner_columns(path) == [(places[0], row)]
    path = saved("a O\n\nb\n")
    refused(lambda: ner_columns(path), path, ":3: the line has 1 columns, not 2 or more (a word and a tag): ")


def test_conll2012_has_names_and_predicates(saved: Save) -> None:
    path = saved(ONTONOTES)
    (where, first), (later, second) = conll2012.read(path)
    assert (where, later) == (f"{path}:2", f"{path}:9")
    assert first["words"] == ["Ada", "came", "to", "New", "York", "reading"]
    assert first["tags"] == ["B-PERSON", "O", "O", "B-GPE", "I-GPE", "O"]
    assert first["predicates"] == [
        {"at": 1, "roles": [["ARG0", 0, 0], ["V", 1, 1], ["ARG4", 2, 4]]},
        {"at": 5, "roles": [["ARG0", 0, 0], ["V", 5, 5]]},
    ]
    assert first["places"] == [f"{path}:{line}" for line in range(2, 8)]
    assert (second["words"], second["tags"], second["predicates"]) == (["Yes"], ["O"], [])


def test_conll2012_reads_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b/x_gold_conll", "a/b/y.v4_gold_conll", "a/b/z.v4_auto_conll"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(ONTONOTES)
    found = [where for where, _ in conll2012.read(tmp_path)]
    first, second = tmp_path / "a/b/y.v4_gold_conll", tmp_path / "b/x_gold_conll"
    assert found == [f"{first}:2", f"{first}:9", f"{second}:2", f"{second}:9"]
    refused(lambda: conll2012.read(tmp_path / "c"), tmp_path / "c", " is neither a file nor a folder with")
    (tmp_path / "c").mkdir()
    refused(lambda: conll2012.read(tmp_path / "c"), tmp_path / "c", " is neither a file nor a folder with")


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("read  01", "read  - ", ":2: the sentence that begins here has 1 predicates in column 8 and 2 columns of"),
        ("york  - ", "york  02", ":2: the sentence that begins here has 3 predicates in column 8 and 2 columns of"),
        ("(GPE*  ", "(GPE*))", ":5: the cell '(GPE*))' is not one of *, "),
        ("(ARG4* ", "*      ", ":6: the cell '*)' closes a bracket that was not opened"),
        ("(V*)     *        -", "(V*)     -", ":3: the line has 13 columns, not 14: "),
        ("*         -\n", "*\n", ":9: the line has 11 columns, not 12 or more (CoNLL-2012's"),
    ],
)
def test_malformed_conll2012_is_refused(saved: Save, old: str, new: str, message: str) -> None:
    assert ONTONOTES.count(old) == 1
    path = saved(ONTONOTES.replace(old, new))
    refused(lambda: conll2012.read(path), path, message)


def test_props_are_two_parallel_files(saved: Save) -> None:
    words, props = saved(WORDS.replace("Ada", "Ada NNP"), "x.words"), saved(PROPS, "x.props")
    with pytest.raises(InputError, match=r"x\.words:2: the line has 1 columns, not 2"):
        conll2005.read(words, props)
    (where, first), (later, second) = conll2005.read(saved(WORDS, "x.words"), props)
    assert (where, later) == (f"{props}:1", f"{props}:5")
    assert first == {
        "words": ["Ada", "reads", "."],
        "predicates": [{"at": 1, "roles": [["A0", 0, 0], ["V", 1, 1]]}],
        "places": [f"{props}:{line}" for line in (1, 2, 3)],
    }
    assert second == {"words": ["Yes"], "predicates": [], "places": [f"{props}:5"]}


@pytest.mark.parametrize(
    "words, props, message",
    [
        (WORDS.replace("\n.", ""), PROPS, "x.props:3: the sentence goes on here, and ends at "),
        (WORDS.replace(".", ".\n!"), PROPS, "x.words:4: the sentence goes on here, and ends at "),
        (WORDS + "\nNo\n", PROPS, "x.words:7: "),
        ("Ada\nreads\n.\n", PROPS, "x.props:5: "),
        (
            WORDS,
            PROPS.replace("read ", "-    "),
            "x.props:1: the sentence that begins here has 0 predicates in column 1",
        ),
        (WORDS, PROPS.replace("(V*)", "(V* "), "x.props:2: the bracket (V is still open"),
    ],
)
def test_props_that_do_not_match_are_refused(saved: Save, words: str, props: str, message: str) -> None:
    paths = saved(words, "x.words"), saved(props, "x.props")
    refused(lambda: conll2005.read(*paths), paths[0].parent, "/" + message)


def test_ewt_has_predicates_and_the_genre(saved: Save) -> None:
    path = saved(TREEBANK)
    (where, first), (_, second) = ewt.read(path)
    assert where == f"{path}:2"
    assert first == {
        "words": ["Ada", "is", "in"],
        "predicates": [{"at": 1, "roles": [["ARG1", 0, 0], ["V", 1, 1], ["C-ARG1", 2, 2]]}],
        "genre": "email",
        "places": [f"{path}:{line}" for line in (2, 3, 4)],
    }
    assert (second["genre"], second["predicates"]) == ("weblog", [])


@pytest.mark.parametrize(
    "old, new, message",
    [
        ("# sent_id = weblog-blog-0001\n", "", ":6: no line '# sent_id = GENRE-...' precedes the sentence"),
        ("be.03", "-", ":2: the sentence that begins here has 0 predicates in column 6 and 1 columns of arguments"),
        ("(C-ARG1*)", "(C-ARG1*", ":4: the bracket (C-ARG1 is still open"),
        ("\t(C-ARG1*)", "", ":4: the line has 6 columns, not 7: "),
        ("0\tYes\tUH\t(TOP*)\t-\t-", "0 Yes UH (TOP*) - -", ":7: the line has 1 columns, not 6 or more (index, word"),
        ("(TOP*)\t-\t-", "(TOP*)\t-", ":7: the line has 5 columns, not 6 or more (index, word"),
    ],
)
def test_malformed_ewt_is_refused(saved: Save, old: str, new: str, message: str) -> None:
    assert TREEBANK.count(old) == 1
    path = saved(TREEBANK.replace(old, new))
    refused(lambda: ewt.read(path), path, message)


def squad_file() -> dict[str, Any]:
    answer = {"text": "Rome", "answer_start": 0}
    asked = [
        {"id": "q1", "question": "Who won?", "answers": [answer, answer]},
        {"id": "q2", "question": "Who lost?", "answers": [], "is_impossible": True, "plausible_answers": [answer]},
    ]
    paragraph = {"context": "Rome beat Pisa.", "qas": asked}
    return {"version": "v2.0", "data": [{"title": "Wars", "paragraphs": [paragraph]}]}


def test_squad_has_a_row_a_question(saved: Save) -> None:
    path = saved(json.dumps(squad_file()))
    answer = {"text": "Rome", "answer_start": 0}
    first = {
        "id": "q1", "title": "Wars", "context": "Rome beat Pisa.", "question": "Who won?", "answers": [answer, answer],
        "is_impossible": False,
    }  # fmt: skip
    second = {**first, "id": "q2", "question": "Who lost?", "answers": [], "is_impossible": True}
    assert squad.read(path) == [(f"{path}: question q1", first), (f"{path}: question q2", second)]


ARTICLE: list[Any] = ["data", 0]
PARAGRAPH: list[Any] = [*ARTICLE, "paragraphs", 0]
QUESTION: list[Any] = [*PARAGRAPH, "qas", 0]


@pytest.mark.parametrize(
    "node, key, where",
    [
        ([], "data", ""),
        (ARTICLE, "title", ": article 1"),
        (ARTICLE, "paragraphs", ": article 1"),
        (PARAGRAPH, "context", ": article 1, paragraph 1"),
        (PARAGRAPH, "qas", ": article 1, paragraph 1"),
        (QUESTION, "id", ": article 1, paragraph 1"),
        (QUESTION, "question", ": question q1"),
        (QUESTION, "answers", ": question q1"),
        ([*QUESTION, "answers", 1], "text", ": question q1"),
        ([*QUESTION, "answers", 1], "answer_start", ": question q1"),
    ],
)
def test_a_missing_or_mistyped_key_of_squad_is_refused(saved: Save, node: list[Any], key: str, where: str) -> None:
    whole = squad_file()
    whole["data"][0]["paragraphs"][0]["qas"][0]["answers"][1] = {"text": "Rome", "answer_start": 0}
    inner: Any = whole
    for step in node:
        inner = inner[step]
    inner[key] = 0.5
    path = saved(json.dumps(whole))
    refused(lambda: squad.read(path), path, f"{where}: {key}=0.5 is not ")
    del inner[key]
    saved(json.dumps(whole))
    refused(lambda: squad.read(path), path, f"{where}: the key '{key}' is missing")


def test_squad_that_is_no_json_or_contradicts_itself_is_refused(saved: Save) -> None:
    path = saved("[")
    refused(lambda: squad.read(path), path, ":1: not valid JSON (")
    saved(b'{\n"\xff": 1}')
    refused(lambda: squad.read(path), path, ":2: not valid UTF-8 (the byte 0xff)")
    saved("[]")
    refused(lambda: squad.read(path), path, ": the file is not a JSON object")
    whole = squad_file()
    whole["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = True
    saved(json.dumps(whole))
    refused(lambda: squad.read(path), path, ": question q1: is_impossible=true, and the question has answers: remove")
    whole["data"][0]["paragraphs"][0]["qas"][0]["is_impossible"] = False
    whole["data"][0]["paragraphs"][0]["qas"][1]["is_impossible"] = "yes"
    saved(json.dumps(whole))
    refused(lambda: squad.read(path), path, ': question q2: is_impossible="yes" is not true or false')
    del whole["data"][0]["paragraphs"][0]["qas"][1]["is_impossible"]
    saved(json.dumps(whole))
    refused(lambda: squad.read(path), path, ": question q2: the question has no answers")


# --- what files are


def test_byte_order_marks_are_no_part_of_a_file(saved: Save) -> None:
    mark = b"\xef\xbb\xbf"
    assert json_files.json_lines(saved(mark + b'{"a": 1}\n'))[0][1] == {"a": 1}
    assert json_files.json_list(saved(mark + b'[{"a": 1}]'))[0][1] == {"a": 1}
    assert [one.cells for one in sentences(saved(mark + b"-DOCSTART- O\n\na O\n"), 2)] == [[["a", "O"]]]
    (first, _) = ewt.read(saved(mark + TREEBANK.encode()))
    assert first[1]["genre"] == "email"
    assert len(squad.read(saved(mark + json.dumps(squad_file()).encode()))) == 2
    assert len(conll2012.read(saved(mark + ONTONOTES.encode()))) == 2
    words, props = saved(mark + WORDS.encode(), "x.words"), saved(mark + PROPS.encode(), "x.props")
    assert conll2005.read(words, props)[0][1]["words"] == ["Ada", "reads", "."]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_in_one_of_three_ways(saved: Save, end: str) -> None:
    path = saved(f'{{"a": 1}}{end}{end}{{"a": 2}}{end}')
    assert json_files.json_lines(path) == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2})]
    path = saved(f"a O{end}b O{end}{end}c O{end}")
    assert [one.places for one in sentences(path, 2)] == [[f"{path}:1", f"{path}:2"], [f"{path}:4"]]
    assert [row["genre"] for _, row in ewt.read(saved(TREEBANK.replace("\n", end)))] == ["email", "weblog"]


@pytest.mark.parametrize("content", ["a O\rb O\nc O\n", "a O\nb O\rc O\n", "a O\rb O\n"])
def test_a_mixture_of_line_ends_is_refused(saved: Save, content: str) -> None:
    path = saved(content)
    with pytest.raises(InputError, match=r":[12]: a carriage return stands inside the line: give all lines"):
        sentences(path, 2)


@pytest.mark.parametrize(
    "content, message",
    [
        (gzip.compress(b"{}", mtime=0), " is packed with gzip, and {} is wanted, as text in UTF-8: unpack it."),
        (
            '{"a": 1}'.encode("utf-16"),
            " is in UTF-16 or UTF-32, and {} is wanted, as text in UTF-8: save it as UTF-8.",
        ),
        ('{"a": 1}'.encode("utf-16-le"), " is in UTF-16, or no text at all, and {} is wanted, as text in UTF-8: save"),
        (b"PK\x03\x04..", " is a zip archive, and {} is wanted"),
        (b"version https://git-lfs.github.com/spec/v1\n", " is a pointer of Git LFS, not the file itself, and {} is"),
    ],
)
def test_a_file_that_is_something_else_is_called_by_its_name(saved: Save, content: bytes, message: str) -> None:
    path = saved(content)
    for read, wanted in (
        (json_files.json_lines, "JSON lines (one object a line)"),
        (json_files.json_list, "one JSON list"),
        (squad.read, "one JSON object with SQuAD's articles"),
        (ner_columns, "a word a line with its columns (CoNLL)"),
        (conll2012.read, "a word a line with its columns (CoNLL)"),
        (ewt.read, "a word a line with its columns (CoNLL)"),
    ):
        refused(lambda read=read: read(path), path, message.replace("{}", wanted))


@pytest.mark.parametrize(
    "content, message",
    [
        ("premise,hypothesis,label\na,b,c\n", ":1: the file looks like comma-separated values (CSV), and JSON lines"),
        ("premise\thypothesis\na\tb\n", ":1: the file looks like tab-separated values, and JSON lines"),
        ('[{"premise": "a"}]', ":1: the file is one JSON list, and JSON lines (one object a line) is wanted"),
        ("<html>\n", ":1: the file is XML or HTML, and JSON lines"),
    ],
)
def test_another_format_in_the_place_of_json_lines_is_named(saved: Save, content: str, message: str) -> None:
    path = saved(content)
    refused(lambda: json_files.json_lines(path), path, message)


def test_json_in_the_place_of_columns_and_a_folder_in_the_place_of_a_file_are_named(saved: Save) -> None:
    path = saved('{"words": ["a"]}\n')
    refused(lambda: ner_columns(path), path, ":1: the file is JSON, and a word a line with its columns (CoNLL) is")
    folder = path.parent
    refused(lambda: json_files.json_lines(folder), folder, " cannot be read (Is a directory): JSON lines")


@pytest.mark.parametrize(
    "content, message",
    [
        ('{"a": "x \\ud83d"}', ":2: \\ud83d is half of a character (a lone surrogate) and no text: write the whole"),
        ('{"a": "\\ude00 x"}', ":2: \\ude00 is half of a character"),
        ('{"a": "\\ud83d\\ud83d\\ude00"}', ":2: \\ud83d is half of a character"),
        ('{"\\uD800": 1}', ":2: \\uD800 is half of a character"),
        ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", ":2: JSON nested too deeply to be read: "),
        ('{"a": ' + "7" * 5000 + "}", ":2: the number 77777777777777777777... is too long to be read: "),
        ('{"label": 0, "label": 1}', ":2: an object has the key 'label' twice: "),
    ],
)
def test_json_that_no_one_can_mean_is_refused_at_its_line(saved: Save, content: str, message: str) -> None:
    path = saved("{}\n" + content + "\n")
    refused(lambda: json_files.json_lines(path), path, message)
    saved("[{},\n" + content + "]\n")
    refused(lambda: json_files.json_list(path), path, message if "nested" not in message else ":1: JSON nested")


def test_whole_surrogate_pairs_and_letters_that_look_like_escapes_are_text(saved: Save) -> None:
    (row,) = json_files.json_lines(saved('{"a": "\\ud83d\\uDE00", "b": "\\\\ud83d", "c": "\\ud7ff\\ue000"}'))
    assert row[1] == {"a": "😀", "b": "\\ud83d", "c": "\ud7ff\ue000"}


# --- folders of CoNLL-2012


def put_gold(*names: Path) -> None:
    for name in names:
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(ONTONOTES)


def test_links_in_a_folder_are_followed(tmp_path: Path) -> None:
    folder = tmp_path / "data/annotations"
    put_gold(folder / "bc/x.v4_gold_conll", tmp_path / "elsewhere/y.v4_gold_conll", tmp_path / "z")
    (folder / "nw").symlink_to(tmp_path / "elsewhere")
    (folder / "bc/z.v4_gold_conll").symlink_to(tmp_path / "z")
    places = [where.removeprefix(f"{folder}/").partition(":")[0] for where, _ in conll2012.read(tmp_path / "data")]
    assert sorted(set(places)) == ["bc/x.v4_gold_conll", "bc/z.v4_gold_conll", "nw/y.v4_gold_conll"]


@pytest.mark.parametrize(
    "link, to, message",
    [
        ("nw", "nowhere", "/nw is a link to nothing (nowhere): mend it or remove it."),
        ("nw", "bc", "are one folder, linked: remove the link, or name one of them."),
        ("bc/up", "..", "are one folder, linked: remove the link, or name one of them."),
        ("bc/y.v4_gold_conll", "y", "/bc/y.v4_gold_conll is a link to nothing (y)"),
    ],
)
def test_links_to_nothing_or_to_what_is_read_already_are_refused(
    tmp_path: Path, link: str, to: str, message: str
) -> None:
    put_gold(tmp_path / "bc/x.v4_gold_conll")
    (tmp_path / link).symlink_to(to)
    with pytest.raises(InputError, match=re.escape(message)):
        conll2012.read(tmp_path)


def test_a_link_that_was_unpacked_as_a_text_is_refused(tmp_path: Path) -> None:
    put_gold(tmp_path / "bc/x.v4_gold_conll")
    (tmp_path / "nw").write_text("../../../elsewhere/nw")
    refused(lambda: conll2012.read(tmp_path), tmp_path / "nw", " is a link unpacked as a text (../../../elsewhere/nw)")


@pytest.mark.parametrize(
    "one, other, message",
    [
        ("v4/x.v4_gold_conll", "v9/y.v4_gold_conll", "has two releases or two splits side by side"),
        ("x.v4_gold_conll", "y.v9_gold_conll", "has two releases or two splits side by side"),
        ("test/x.v4_gold_conll", "conll-2012-test/y.v4_gold_conll", "has two releases or two splits"),
        ("train/x.v4_gold_conll", "development/y.v4_gold_conll", "has two releases or two splits side by side"),
        ("a/annotations/x.v4_gold_conll", "b/annotations/x.v4_gold_conll", "is the same document as"),
    ],
)
def test_two_of_a_kind_in_one_folder_are_refused(tmp_path: Path, one: str, other: str, message: str) -> None:
    put_gold(tmp_path / one, tmp_path / other)
    with pytest.raises(InputError, match=message):
        conll2012.read(tmp_path)
    assert len(conll2012.read(tmp_path / one)) == 2


def test_an_empty_file_among_others_is_refused(tmp_path: Path) -> None:
    put_gold(tmp_path / "x.v4_gold_conll")
    (tmp_path / "y.v4_gold_conll").write_text("#begin document (y); part 000\n#end document\n")
    refused(
        lambda: conll2012.read(tmp_path), tmp_path / "y.v4_gold_conll", " has no sentence: put the whole file there"
    )
