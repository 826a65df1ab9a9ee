"""Embeddings: vectors whose cosines say which texts belong together, or how similar they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.sentence_transformers import (
    MODULES_NAME,
    SentenceRecipe,
    read_recipe,
    recipe_files,
)
from distilcli.engine.batching import Batch
from distilcli.errors import ModelError
from distilcli.model.heads import BaseModel
from distilcli.model.pooling import Pooling
from distilcli.predictors.base import itself
from distilcli.scores.regression import pearson, spearman
from distilcli.tasks.embed import Array, EmbedTask, Finish
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training import distributed
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.embed import TextPair
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, Objective, encoded_all
from distilcli.training.objectives.soft_targets import cosine_distance
from distilcli.training.options import ObjectiveOptions

_SCALE = 20.0  # of cosines: a temperature of 0.05
_SEARCHED = 1_000  # candidates among which each first text is matched
_SPECIALS = 2


@dataclass(slots=True)
class PairExample(Example):
    """Two texts and their similarity; `ids` are equal for texts that the model reads as one.

    A text without a second one has no loss of its own: only a teacher knows its vector.
    """

    ids: tuple[int, ...] = ()
    score: float | None = None

    @property
    def size(self) -> int:
        """Its positions in a batch: first, second and negative texts are padded separately."""
        return sum(map(len, self.pieces))


class EmbedObjective(Objective[list[TextPair], BaseModel, PairExample]):
    """The loss depends on the pairs.

    With scores it is CoSENT (Su 2022): of any two pairs of a batch the one with the higher score
    should have the higher cosine. Only the order counts, as in Spearman's correlation, which
    decides the best model; the scale of the scores does not matter. Without scores it is in-batch
    negatives (Henderson et al. 2017): each first text should find its second one among those of
    the whole batch and all hard negatives, and the best model is the one that finds most.
    """

    task = "embed"
    head = BaseModel

    def __init__(
        self, train: list[TextPair], valid: list[TextPair], recipe: SentenceRecipe
    ) -> None:
        super().__init__(train, valid)
        self.recipe = recipe
        self.noun = "text" if train[0].second is None else "pair"
        self._has_negatives = train[0].negative is not None
        self._scored = valid[0].score is not None
        self.metric = Metric("spearman" if self._scored else "accuracy")

    @classmethod
    def of(
        cls,
        train: list[TextPair],
        valid: list[TextPair],
        options: ObjectiveOptions,
        *,
        start: Path,
    ) -> "EmbedObjective":
        """Return the objective; vectors are made as by the model in the folder `start`."""
        return cls(train, valid, trainable_recipe(start))

    def checked(self, rows: list[TextPair], name: str) -> CheckedRows:
        """Return the pairs for the data checks; a text without a second one is its own."""
        return CheckedRows(
            name=name,
            texts=[row.first for row in rows],
            pairs=[row.first if row.second is None else row.second for row in rows],
            places=[row.place for row in rows],
        )

    def lengths(self, rows: list[TextPair], tokenizer: Tokenizer) -> list[int]:
        """Count the tokens of the longer text of each pair."""
        counts = map(len, tokenizer.ids([text for row in rows for text in row.texts]))
        return [max(next(counts) for _ in row.texts) + _SPECIALS for row in rows]

    def describe(self) -> str:
        """Say in words what the model is trained and validated on, and how."""
        unit = ", normalized" if self.recipe.normalizes else ""
        negatives = "in-batch and hard negatives" if self._has_negatives else "in-batch negatives"
        loss = f"; loss: {'CoSENT' if self._scored else negatives}"
        return (
            super().describe()
            + (loss if self.noun == "pair" else "")
            + f"; vectors: {'+'.join(self.recipe.pooling)}{unit}"
        )

    def digests(self) -> dict[str, object]:
        """Return what identifies pairs and vectors."""
        return {**super().digests(), "recipe": rows_digest([self.recipe])}

    def companions(self, *, dim: int, max_length: int) -> dict[str, object]:
        """Return the files with which sentence-transformers makes the same vectors."""
        recipe = replace(self.recipe, max_length=self._length(max_length))
        return recipe_files(recipe, dim=dim)

    def units(self, example: PairExample) -> int:
        """Count the texts."""
        return len(example.pieces)

    def labelled(self, example: PairExample) -> int:
        """Count the texts of a pair and its negative."""
        return len(example.pieces) if len(example.pieces) > 1 else 0

    def outputs(self, model: BaseModel, batch: Batch, examples: Sequence[PairExample]) -> Tensor:
        """Return the vector of each text (units, D), those of a pair one after the other."""
        texts = len(examples[0].pieces)
        # A question is much shorter than the passage that answers it.
        alike = [self._task.pooled(model, batch.rows(slice(n, None, texts))) for n in range(texts)]
        return torch.stack(alike, dim=1).flatten(0, 1)

    def loss(self, outputs: Tensor, examples: Sequence[PairExample]) -> Tensor:
        """Return the mean loss of a pair times the number of texts; 0 for texts without a pair.

        The mean is that of the whole batch, whichever processes have read its pairs.
        """
        texts = len(examples[0].pieces)
        if texts == 1:
            return outputs.new_zeros(())
        vectors = F.normalize(distributed.whole(outputs))
        firsts, seconds, *negatives = (vectors[n::texts] for n in range(texts))
        if self._scored:
            scores = torch.tensor([example.score for example in examples], dtype=torch.float64)
            cosines = (firsts * seconds).sum(dim=-1)
            whole_scores = distributed.whole(scores.to(outputs.device))
            return ranking_loss(cosines, whole_scores) * len(outputs)
        ids = distributed.whole(torch.tensor([example.ids for example in examples]))
        candidates = torch.cat([seconds, *negatives])
        similarities = (_SCALE * firsts @ candidates.T).masked_fill(
            same_texts(ids).to(outputs.device), -torch.inf
        )
        gold = torch.arange(len(ids), device=outputs.device)
        own_share = len(examples) / len(ids)
        return texts * F.cross_entropy(similarities, gold, reduction="sum") * own_share

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the distance between the student's and the teacher's vectors."""
        if student.shape == teacher.shape:
            return cosine_distance(student, teacher)
        students, teachers = distributed.whole(student), distributed.whole(teacher)
        return cosine_distance(students, teachers) * (len(student) / len(students))

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return the correlation of cosines and scores, or how often the second text is found."""
        names = [text for pair in self.valid for text in pair.texts[:2]]
        texts = list(dict.fromkeys(names))
        vectors = self._predictions(self._task, texts, device)
        of_text = dict(zip(texts, vectors, strict=True))
        stacked = np.stack([of_text[name] for name in names])
        firsts, seconds = stacked[0::2], stacked[1::2]
        if not self._scored:
            return _retrieval(names[1::2], firsts, seconds)
        cosines = (firsts * seconds).sum(axis=1)
        gold = np.array([pair.score for pair in self.valid])
        # Vectors that are all the same rank nothing.
        found = {"spearman": spearman(gold, cosines), "pearson": pearson(gold, cosines)}
        return {name: float(np.nan_to_num(score)) for name, score in found.items()}

    def _tokenized(
        self, model: BaseModel, tokenizer: Tokenizer, max_length: int
    ) -> list[PairExample]:
        recipe = self.recipe
        self._task = EmbedTask[str](
            model,
            tokenizer,
            text_of=str.lower if recipe.lowercases else itself,
            pooling=Pooling(recipe.pooling),
            finish=Finish(normalizes=True),
            prompt=recipe.prompts[recipe.default_prompt] if recipe.default_prompt else "",
            pools_prompt=recipe.pools_prompt,
            long_texts=LongTexts(max_length=self._length(max_length)),
        )
        texts = list(dict.fromkeys(text for pair in self.train for text in pair.texts))
        encoded = encoded_all(self._task.encode, texts)
        pieces = {text: row.pieces[0] for text, row in zip(texts, encoded, strict=True)}
        seen: dict[tuple[int, ...], int] = {}
        id_of = {
            text: seen.setdefault(tuple(piece.input_ids), len(seen))
            for text, piece in pieces.items()
        }
        return [
            PairExample(
                [pieces[text] for text in pair.texts],
                tuple(id_of[text] for text in pair.texts),
                pair.score,
            )
            for pair in self.train
        ]

    def _length(self, max_length: int) -> int:
        return min(max_length, self.recipe.max_length or max_length)


def trainable_recipe(folder: Path) -> SentenceRecipe:
    """Return how a model makes vectors; by default it is the normalized mean.

    Raises `ModelError` for layers after the pooling, which cannot be trained here, and for
    settings of the tokenizer that are not in its own files.
    """
    recipe = read_recipe(folder)
    if recipe.steps:
        raise ModelError(
            f"{folder}: has {recipe.steps[0].kind} after its pooling, which finetune does not "
            "train; start from a model without it"
        )
    if recipe.tokenizer:
        raise ModelError(
            f"{folder}: sets {', '.join(recipe.tokenizer)} of the tokenizer beside its files; "
            "move it to tokenizer_config.json"
        )
    has_modules = (folder / MODULES_NAME).is_file()
    return recipe if has_modules else replace(recipe, normalizes=True)


def ranking_loss(cosines: Tensor, scores: Tensor) -> Tensor:
    """Return log(1 + Σ exp(20 (cosine j - cosine i))) over pairs i, j with score i > score j.

    `cosines` and `scores` are (B,); the loss is 0 if all scores are equal.
    """
    differences = _SCALE * (cosines[None, :] - cosines[:, None])  # (i, j)
    counted = differences[scores[:, None] > scores[None, :]]
    return torch.logsumexp(torch.cat([counted.new_zeros(1), counted]), dim=0)


def same_texts(ids: Tensor) -> Tensor:
    """Return booleans: candidates (columns) that are not negatives of a first text (rows).

    `ids` (B, 2) are those of the texts of each pair, (B, 3) with a hard negative. The candidates
    are the B second texts, then the B hard negatives. Excluded are repetitions of the right second
    text, those that belong to the same first text, and the first text itself.
    """
    firsts, seconds, candidates = ids[:, :1], ids[:, 1:2], ids[:, 1:].T.flatten()
    same = (seconds == candidates) | (firsts == candidates)
    belongs = (firsts == firsts.T).fill_diagonal_(False)
    size = len(ids)
    same[:, :size].fill_diagonal_(False)
    same[:, :size] |= belongs
    return same


def _retrieval(names: Sequence[str], firsts: Array, seconds: Array) -> dict[str, float]:
    """Return how often the second text is nearest to the first, and the mean of 1 / its rank.

    There are at most 1,000 candidates; the second text ranks behind equally near ones.
    """
    ranks: list[int] = []
    for start in range(0, len(names), _SEARCHED):
        part = slice(start, start + _SEARCHED)
        here = np.unique(names[part], return_inverse=True)[1]
        similarities = firsts[part] @ seconds[part].T
        others = here[:, None] != here[None, :]
        ahead = (similarities >= similarities.diagonal()[:, None]) & others
        ranks += (1 + ahead.sum(axis=1)).tolist()
    found = np.array(ranks)
    return {"accuracy": float((found == 1).mean()), "mrr": float((1 / found).mean())}
