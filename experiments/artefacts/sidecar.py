"""What a table or figure leaves beside itself, `<stem>.records.json`: its words, its data, the overrides that remake
it, and the records behind each of its numbers. The report and `experiments.explain` read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from experiments.artefacts import names
from ptuning.analysis.cells import Cell
from ptuning.errors import InputError

ENDING = ".records.json"
Scalar = str | int | float | None


class Frame(BaseModel):
    """The data as they are printed, a list of texts a row."""

    columns: list[str]
    rows: list[list[Scalar]]


class Place(BaseModel):
    """A number or a point: where it stands (in which row and column of which frame), and the runs behind it, those
    that are missing too. `keys` say in words what it is of."""

    model_config = ConfigDict(frozen=True)

    keys: Mapping[str, Scalar]
    frame: int = 0
    row: int
    column: str
    text: str
    records: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, cells: Sequence[Cell], keys: Mapping[str, str], row: int, column: str, text: str | None = None
    ) -> Place:
        """A number made of `cells`; its `text` is theirs where there is one cell alone."""
        records = tuple(name for cell in cells for name in cell.records)
        missing = tuple(name for cell in cells for name in cell.missing)
        text = cells[0].text if text is None else text
        return cls(keys=keys, row=row, column=column, text=text, records=records, missing=missing)

    @property
    def label(self) -> str:
        return " · ".join(str(value) for value in self.keys.values())


class Sidecar(BaseModel):
    """A table or figure; `name` is its experiment (`p_tuning_v2/table2`), whose module makes it with `overrides`."""

    name: str
    title: str
    caption: str
    overrides: list[str] = []
    rule: str
    notes: list[str] = []
    frames: list[Frame]
    cells: list[Place]

    @model_validator(mode="after")
    def _cells_are_in_frames(self) -> Sidecar:
        for index, cell in enumerate(self.cells):
            if not 0 <= cell.frame < len(self.frames):
                raise ValueError(f"cell {index} is in no frame")
            frame = self.frames[cell.frame]
            if cell.column not in frame.columns or not 0 <= cell.row < len(frame.rows):
                raise ValueError(f"cell {index} is outside its frame")
        return self

    @property
    def lead(self) -> int:
        """How many columns, one or two, say what a row is: those before the first with a number."""
        first = (self.frames[cell.frame].columns.index(cell.column) for cell in self.cells)
        return max(1, min([2, *first]))


def read(file: Path) -> Sidecar:
    """Raises InputError, naming the file, where it is no sidecar."""
    try:
        return Sidecar.model_validate_json(file.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(
            f"{file} is not what tables and figures leave today ({where + ': ' if where else ''}{first['msg']}): make "
            "it again."
        ) from None


def read_all(folder: Path) -> dict[str, Sidecar]:
    """The sidecars of a folder as `files` finds them. Raises InputError as `read` does."""
    return {stem: read(file) for stem, file in files(folder).items()}


def files(folder: Path) -> dict[str, Path]:
    """The files of sidecars in results/{tables,figures} by what each is called among all, those of papers first."""
    found = sorted(folder.glob(f"*/*{ENDING}"), key=lambda file: (file.parent.name == names.ABLATIONS, file))
    called = {names.called(f"{file.parent.name}/{file.name.removesuffix(ENDING)}"): file for file in found}
    if len(called) < len(found):
        twice = next(file for file in found if file not in called.values())
        raise InputError(f"{twice.name.removesuffix(ENDING)} is there twice in {folder}: rename one of them.")
    return called
