"""How far what was understood is from what was said."""

from collections.abc import Callable, Hashable, Sequence

Texts = str | Sequence[str]


def word_error_rate(truth: Texts, said: Texts) -> float:
    """Words put in, left out or mistaken, over the number of words that are true: jiwer's `wer`.

    Args:
        truth: a text, or one for each sample.
        said: as many texts, as they were understood.

    Returns:
        A number of at least 0: all edits over all true words; above 1 where much is put in.

    Raises:
        TypeError: something is no text.
        ValueError: not as many texts as are true, or no true words at all.

    Cost: the product of the lengths of each pair. Levenshtein, 1966, Binary codes capable of correcting deletions,
    insertions and reversals.

    >>> word_error_rate(["one two three", "four"], ["one too three", "four five"])
    0.5
    """
    return _rate("word_error_rate", truth, said, str.split)


def character_error_rate(truth: Texts, said: Texts) -> float:
    """The same with characters for words, spaces between words too: jiwer's `cer`.

    >>> character_error_rate("four", "fore")
    0.5
    """
    return _rate("character_error_rate", truth, said, lambda text: list(text.strip()))


def edit_distance(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """The least number of insertions, deletions and substitutions that make `a` into `b`.

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(b) + 1))  # from the first i of a to the first j of b
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(diagonal + (x != y), row[j] + 1, row[j - 1] + 1)
    return row[-1]


def _rate(op: str, truth: Texts, said: Texts, split: Callable[[str], list[str]]) -> float:
    pairs = [[text] if isinstance(text, str) else list(text) for text in (truth, said)]
    if len(pairs[0]) != len(pairs[1]):
        raise ValueError(f"{op}: {len(pairs[0])} texts are true, but {len(pairs[1])} were said; pass one for each")
    for text in pairs[0] + pairs[1]:
        if not isinstance(text, str):
            raise TypeError(f"{op}: {text!r} ({type(text).__name__}) is no text; pass strings")
    parts = [(split(a), split(b)) for a, b in zip(*pairs, strict=True)]
    total = sum(len(a) for a, _ in parts)
    if not total:
        raise ValueError(f"{op}: there is nothing true to compare with; pass texts that are not empty")
    return sum(edit_distance(a, b) for a, b in parts) / total
