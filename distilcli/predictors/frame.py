"""Results as a pandas DataFrame, with the columns that the commands write."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from distilcli.tasks.choose import Choice, ChoiceColumns
from distilcli.tasks.classify import Classification, ClassificationColumns
from distilcli.tasks.embed import EmbeddingColumns, TokenEmbeddingColumns, TokenEmbeddings
from distilcli.tasks.fill import FillColumns, Filling
from distilcli.tasks.perplexity import PerplexityColumns, PseudoPerplexity
from distilcli.tasks.qa import AnswerColumns, Answers
from distilcli.tasks.result import Result
from distilcli.tasks.tag import Entity, TagColumns, Tagging, as_object
from distilcli.vectors.search import Hit


def to_frame(results: Iterable[object] | Result) -> pd.DataFrame:
    """Return a DataFrame with a row per result of a predictor, or with the row of a single one.

    Columns have the names that the commands give them; `abstained` and `truncated` are among them
    if that is true of any text. Raises `TypeError` for anything that is not a result.
    """
    if isinstance(results, Result) or (isinstance(results, np.ndarray) and results.ndim == 1):
        results = [results]
    every = list(results)
    frame: pd.DataFrame = pd.DataFrame(
        [_row(result) for result in every], dtype=object
    ).infer_objects()
    for name in ("abstained", "truncated"):
        marks = [getattr(result, name, False) for result in every]
        if any(marks):
            frame[name] = marks
    return frame


_COLUMNS: Mapping[type, Any] = {
    Choice: ChoiceColumns(),
    Filling: FillColumns(),
    PseudoPerplexity: PerplexityColumns(),
    Tagging: TagColumns("entities"),
    TokenEmbeddings: TokenEmbeddingColumns("array"),
    np.ndarray: EmbeddingColumns("array"),
}


def _row(result: object) -> Mapping[str, object]:
    if isinstance(result, Hit):
        return {"index": result.index, "score": result.score, **result.row}
    if isinstance(result, Entity):
        return as_object(result, abstains=False)
    if isinstance(result, Classification):
        labels = result.labels or tuple(map(str, range(len(result.scores))))
        columns: Any = ClassificationColumns(labels, result.kind)
    elif isinstance(result, Answers):
        columns = AnswerColumns(top_k=len(result.ranked))
    elif type(result) in _COLUMNS:
        columns = _COLUMNS[type(result)]
    else:
        raise TypeError(f"give results of a predictor, not {result!r:.60}")
    return dict(zip(columns.names, columns.values(result), strict=True))
