"""UCI Adult, the census data of wide & deep: who earns more than 50,000 dollars a year."""

import csv
import math
import os
from typing import Any

import numpy as np

from jaxnets.data.sources import Arrays, existing_file

NUMBERS = ("age", "fnlwgt", "education_num", "capital_gain", "capital_loss", "hours_per_week")
COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"),
    *("race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "label"),
)
# As adult.names lists them, "?" for what is not known first.
VOCABULARY: dict[str, tuple[str, ...]] = {
    name: ("?", *words.split())
    for name, words in {
        "workclass": "Private Self-emp-not-inc Self-emp-inc Federal-gov Local-gov State-gov Without-pay Never-worked",
        "education": "Bachelors Some-college 11th HS-grad Prof-school Assoc-acdm Assoc-voc 9th 7th-8th 12th Masters "
        "1st-4th 10th Doctorate 5th-6th Preschool",
        "marital_status": "Married-civ-spouse Divorced Never-married Separated Widowed Married-spouse-absent "
        "Married-AF-spouse",
        "occupation": "Tech-support Craft-repair Other-service Sales Exec-managerial Prof-specialty Handlers-cleaners "
        "Machine-op-inspct Adm-clerical Farming-fishing Transport-moving Priv-house-serv Protective-serv Armed-Forces",
        "relationship": "Wife Own-child Husband Not-in-family Other-relative Unmarried",
        "race": "White Asian-Pac-Islander Amer-Indian-Eskimo Other Black",
        "sex": "Female Male",
        "native_country": "United-States Cambodia England Puerto-Rico Canada Germany Outlying-US(Guam-USVI-etc) India "
        "Japan Greece South China Cuba Iran Honduras Philippines Italy Poland Jamaica Vietnam Mexico Portugal Ireland "
        "France Dominican-Republic Laos Ecuador Taiwan Haiti Columbia Hungary Guatemala Nicaragua Scotland Thailand "
        "Yugoslavia El-Salvador Trinadad&Tobago Peru Hong Holand-Netherlands",
    }.items()
}
LABELS = ("<=50K", ">50K")


def adult(path: str | os.PathLike[str]) -> Arrays:
    """Read adult.data or adult.test as UCI gives them.

    Returns:
        A source of one person each, all in memory: the six numbers float32 (age, fnlwgt, education_num, capital_gain,
        capital_loss, hours_per_week); the eight categories int32, positions in `VOCABULARY[name]` of this module
        (workclass, education, marital_status, occupation, relationship, race, sex, native_country), 0 where not
        known; and "label" int32, 1 for more than 50,000 dollars. The vocabulary is fixed, so both files agree.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line with too few fields, no number, or an unknown word: line and field are named.

    Reference: Becker and Kohavi (1996), https://archive.ics.uci.edu/dataset/2.

    >>> import tempfile
    >>> line = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, "
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     _ = file.write(line + "2174, 0, 40, United-States, <=50K\\n")
    ...     file.flush()
    ...     person = adult(file.name)[0]
    >>> float(person["age"]), VOCABULARY["education"][person["education"]], int(person["label"])
    (39.0, 'Bachelors', 0)
    """
    file = existing_file(path, "adult.data or adult.test")
    positions = {name: {word: i for i, word in enumerate(words)} for name, words in VOCABULARY.items()}
    positions["label"] = {word: i for i, word in enumerate(LABELS)}
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    with file.open(newline="", encoding="utf-8") as opened:
        for fields in (reader := csv.reader(opened, skipinitialspace=True)):
            if not fields or fields[0].startswith("|"):  # adult.test begins with a remark, and both end with a blank
                continue
            here = f"{file} line {reader.line_num}"
            if len(fields) != len(COLUMNS):
                raise ValueError(f"{here} has {len(fields)} fields, not {len(COLUMNS)}: is it truncated, or not Adult?")
            for name, field in zip(COLUMNS, map(str.strip, fields), strict=True):
                columns[name].append(_value(f"{here}, {name}", field, positions.get(name)))
    if not columns["label"]:
        raise ValueError(f"{file} has no lines: it is empty, or blank")
    arrays = {name: np.array(each, np.float32 if name in NUMBERS else np.int32) for name, each in columns.items()}
    return Arrays(arrays, LABELS)


def _value(here: str, field: str, words: dict[str, int] | None) -> float | int:
    if words is None:
        try:
            number = float(field)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{here} is {field!r}, not a number")
        return number
    word = field if field in words else field.removesuffix(".")  # adult.test ends its labels with a dot
    if word not in words:
        raise ValueError(f"{here} is {field!r}, none of {', '.join(words)}")
    return words[word]
