"""Learning to embed: vectors whose cosines say which texts belong together, or how much."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
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
from distilcli.training.datasets.embed import TextPair
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, encoded_all, values
from distilcli.training.objectives.soft_targets import cosine_distance

_SCALE = 20.0  # of cosines: a temperature of 0.05
_SEARCHED = 1_000  # second texts among which each first one looks for its own


@dataclass(slots=True)
class PairExample(Example):
    """Two texts and how alike they are; texts that the model reads as one share a number.

    A text without a second one is there for a teacher alone.
    """

    numbers: tuple[int, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class EmbedLesson(PlainLesson):
    """Pairs of texts, and the recipe by which hidden states become vectors."""

    train: list[TextPair]
    valid: list[TextPair]
    recipe: SentenceRecipe
    task: ClassVar[str] = "embed"
    command: ClassVar[str] = "embed"

    @property
    def head(self) -> type[BaseModel]:
        """The encoder alone: nothing on it learns."""
        return BaseModel

    def described(self) -> str:
        """Say in words what is learned from."""
        first = self.train[0]
        scored = "with scores" if first.score is not None else "that belong together"
        what = "texts" if first.second is None else f"pairs {scored}"
        unit = ", normalized" if self.recipe.normalizes else ""
        return (
            f"from {len(self.train):,} {what}, is validated on {len(self.valid):,}; "
            f"vectors: {'+'.join(self.recipe.pooling)}{unit}"
        )

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration; vectors need no labels."""
        return replace(config, labels=(), problem_type=None)

    def objective(
        self, model: BaseModel, tokenizer: Tokenizer, *, max_length: int
    ) -> "EmbedObjective":
        """Tokenize the texts; longer ones are cut off."""
        return EmbedObjective(self, model, tokenizer, max_length=self._length(max_length))

    def digests(self) -> dict[str, str]:
        """Tell the pairs by what they hold."""
        return {
            "training data": rows_digest(self.train),
            "validation data": rows_digest(self.valid),
            "recipe": rows_digest([self.recipe]),
        }

    def companions(self, *, dim: int, max_length: int) -> dict[str, Any]:
        """Return the files, by their paths, by which sentence-transformers makes these vectors."""
        recipe = replace(self.recipe, max_length=self._length(max_length))
        return recipe_files(recipe, dim=dim)

    def _length(self, max_length: int) -> int:
        return min(max_length, self.recipe.max_length or max_length)


def recipe_to_learn(folder: Path) -> SentenceRecipe:
    """Return the recipe of a model to start from; a plain one gets the mean, normalized.

    Raises `ModelError` for dense layers after the pooling, which do not learn here.
    """
    recipe = read_recipe(folder)
    if recipe.dense:
        raise ModelError(
            f"{folder}: has a Dense module after its pooling, which finetune does not train; "
            "start from a model without one"
        )
    has_modules = (folder / MODULES_NAME).is_file()
    return recipe if has_modules else replace(recipe, normalizes=True)


class EmbedObjective:
    """Which loss it is depends on the pairs.

    With scores it is CoSENT (Su 2022): of any two pairs of a batch the one with the higher score
    should have the higher cosine. Only the order counts, as in Spearman's correlation, by which
    the best model is known; what the scale of the scores is does not matter. Without scores it is
    in-batch negatives (Henderson et al. 2017): each first text should find its second one among
    those of the whole batch, and the best model is the one that finds most.
    """

    varies = False

    def __init__(
        self, lesson: EmbedLesson, model: BaseModel, tokenizer: Tokenizer, *, max_length: int
    ) -> None:
        self._valid = lesson.valid
        self._pad_token_id = model.config.pad_token_id
        self._scored = lesson.valid[0].score is not None
        self.metric = Metric("spearman" if self._scored else "accuracy")
        recipe = lesson.recipe
        self._task = EmbedTask[str](
            model,
            tokenizer,
            text_of=str.lower if recipe.lowercases else itself,
            pooling=Pooling(recipe.pooling),
            finish=Finish(normalizes=True),
            prompt=recipe.prompts[recipe.default_prompt] if recipe.default_prompt else "",
            pools_prompt=recipe.pools_prompt,
            long_texts=LongTexts(max_length=max_length),
        )
        texts = list(dict.fromkeys(text for pair in lesson.train for text in pair.texts))
        encoded = encoded_all(self._task.encode, texts)
        pieces = {text: row.pieces[0] for text, row in zip(texts, encoded, strict=True)}
        numbers: dict[tuple[int, ...], int] = {}
        number_of = {
            text: numbers.setdefault(tuple(piece.input_ids), len(numbers))
            for text, piece in pieces.items()
        }
        self._examples = [
            PairExample(
                [pieces[text] for text in pair.texts],
                tuple(number_of[text] for text in pair.texts),
                pair.score,
            )
            for pair in lesson.train
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[PairExample]:
        """Return the examples of these numbers."""
        return [self._examples[index] for index in indices]

    def units(self, example: PairExample) -> int:
        """Count the texts."""
        return len(example.pieces)

    def labelled(self, example: PairExample) -> int:
        """Count the texts of a pair."""
        return len(example.pieces) if len(example.pieces) > 1 else 0

    def outputs(self, model: BaseModel, batch: Batch, examples: Sequence[PairExample]) -> Tensor:
        """Return the vector of each text (units, D), those of a pair one after the other."""
        return self._task.pooled(model, batch)

    def loss(self, outputs: Tensor, examples: Sequence[PairExample]) -> Tensor:
        """Return the mean loss of a pair times the number of texts; 0 for texts without a pair."""
        if len(examples[0].pieces) == 1:
            return outputs.new_zeros(())
        firsts, seconds = F.normalize(outputs[0::2]), F.normalize(outputs[1::2])
        if self._scored:
            scores = torch.tensor([example.score for example in examples], dtype=torch.float64)
            cosines = (firsts * seconds).sum(dim=-1)
            return ranking_loss(cosines, scores.to(outputs.device)) * len(outputs)
        barred = same_texts(torch.tensor([example.numbers for example in examples]))
        similarities = (_SCALE * firsts @ seconds.T).masked_fill(
            barred.to(outputs.device), -torch.inf
        )
        places = torch.arange(len(examples), device=outputs.device)
        return 2 * F.cross_entropy(similarities, places, reduction="sum")

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the distance between the student's and the teacher's vectors."""
        return cosine_distance(student, teacher)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return how well cosines rank the validation pairs, or find the text that belongs."""
        names = [text for pair in self._valid for text in pair.texts]
        texts = list(dict.fromkeys(names))
        vectors = values(self._task, texts, pad_token_id=self._pad_token_id, device=device)
        of_text = dict(zip(texts, vectors, strict=True))
        stacked = np.stack([of_text[name] for name in names])
        firsts, seconds = stacked[0::2], stacked[1::2]
        if not self._scored:
            return _found(names[1::2], firsts, seconds)
        cosines = (firsts * seconds).sum(axis=1)
        wanted = np.array([pair.score for pair in self._valid])
        # Vectors that are all one rank nothing.
        found = {"spearman": spearman(wanted, cosines), "pearson": pearson(wanted, cosines)}
        return {name: float(np.nan_to_num(score)) for name, score in found.items()}


def ranking_loss(cosines: Tensor, scores: Tensor) -> Tensor:
    """Return log(1 + Σ exp(20 (cosine j - cosine i))) over pairs i, j with score i > score j.

    `cosines` and `scores` are (B,); the loss is 0 where all scores are one.
    """
    differences = _SCALE * (cosines[None, :] - cosines[:, None])  # (i, j)
    counted = differences[scores[:, None] > scores[None, :]]
    return torch.logsumexp(torch.cat([counted.new_zeros(1), counted]), dim=0)


def same_texts(pairs: Tensor) -> Tensor:
    """Say of which second texts (columns) a first one (rows) must not be told that they are wrong.

    `pairs` (B, 2) numbers the texts; the result is (B, B). Those are its own second text where it
    comes again, all that go with the same first text, and itself.
    """
    firsts, seconds = pairs[:, 0], pairs[:, 1]
    same = (
        (seconds[:, None] == seconds) | (firsts[:, None] == firsts) | (firsts[:, None] == seconds)
    )
    return same.fill_diagonal_(False)


def _found(names: Sequence[str], firsts: Array, seconds: Array) -> dict[str, float]:
    """Return how often a first text is nearest to its second, and the mean of 1 / its rank.

    It is looked for among a thousand at most. Of equally near ones the right one comes last.
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
