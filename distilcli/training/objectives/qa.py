"""Learning to answer: the first and the last token of the answer in its context."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from distilcli.checkpoint.config import ModelConfig
from distilcli.engine.batching import Batch
from distilcli.model.heads import QuestionAnswerer
from distilcli.predictors.base import itself
from distilcli.scores.answers import answer_scores
from distilcli.tasks.qa import MAX_LENGTH, ContextWindow, EncodedQuestion, QaTask
from distilcli.tasks.settings import LongTexts
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.qa import Question
from distilcli.training.digests import rows_digest
from distilcli.training.objectives.base import Example, Metric, PlainLesson, encoded_all, values
from distilcli.training.objectives.soft_targets import soft_cross_entropy

_UNANSWERABLE = 0  # the place of [CLS], which answers for "no answer"


@dataclass(slots=True)
class WindowExample(Example):
    """A question with one window of its context; `start` and `end` are places in the window."""

    start: int = _UNANSWERABLE
    end: int = _UNANSWERABLE

    @property
    def window(self) -> ContextWindow:
        """The window, which knows where in it answers may stand."""
        window = self.pieces[0]
        assert isinstance(window, ContextWindow)  # noqa: S101
        return window


@dataclass(frozen=True, slots=True)
class QaLesson(PlainLesson):
    """Questions with contexts and answers."""

    train: list[Question]
    valid: list[Question]
    task: ClassVar[str] = "qa"
    command: ClassVar[str] = "qa"

    @property
    def head(self) -> type[QuestionAnswerer]:
        """The head that learns."""
        return QuestionAnswerer

    def described(self) -> str:
        """Say in words what is learned from."""
        learned, validated = (
            sum(question.is_usable for question in part) for part in (self.train, self.valid)
        )
        return f"from {learned:,} questions, is validated on {validated:,}"

    def configure(self, config: ModelConfig) -> ModelConfig:
        """Return the configuration; answers need no labels."""
        return replace(config, labels=(), problem_type=None)

    def objective(
        self, model: QuestionAnswerer, tokenizer: Tokenizer, *, max_length: int
    ) -> "QaObjective":
        """Tokenize the questions; long contexts are learned in windows."""
        return QaObjective(self, model, tokenizer, max_length=max_length)

    def digests(self) -> dict[str, str]:
        """Tell the questions by what they hold."""
        return {
            "training data": rows_digest(self.train),
            "validation data": rows_digest(self.valid),
        }


class QaObjective:
    """Cross-entropy of where the answer starts and where it ends, over the context and [CLS].

    A window without the answer is learned as one without any.
    """

    metric = Metric("f1")
    varies = False

    def __init__(
        self, lesson: QaLesson, model: QuestionAnswerer, tokenizer: Tokenizer, *, max_length: int
    ) -> None:
        self._valid = [question for question in lesson.valid if question.is_usable]
        train = [question for question in lesson.train if question.is_usable]
        self._pad_token_id = model.config.pad_token_id
        self._task = QaTask(
            model,
            tokenizer,
            pair_of=itself,
            long_texts=LongTexts(long="window", max_length=min(max_length, MAX_LENGTH)),
        )
        encoded = encoded_all(self._task.encode, [question.pair for question in train])
        self._examples = [
            example
            for question, row in zip(train, encoded, strict=True)
            for example in _windows(question, row)
        ]
        self.sizes = [example.size for example in self._examples]

    def examples(self, indices: Sequence[int], *, epoch: int) -> list[WindowExample]:
        """Return the examples of these numbers."""
        return [self._examples[index] for index in indices]

    def units(self, example: WindowExample) -> int:
        """Count a window as one for its start and one for its end."""
        return 2

    def labelled(self, example: WindowExample) -> int:
        """Count both where it is known whether there is an answer."""
        return 0 if example.start == UNLABELLED else 2

    def outputs(
        self, model: QuestionAnswerer, batch: Batch, examples: Sequence[WindowExample]
    ) -> Tensor:
        """Return a logit per place (2B, T): of each window its start, then its end.

        Places where no answer can stand (the question, padding) have the lowest number there is.
        """
        logits = model(batch.input_ids, batch.attention_mask, batch.token_type_ids).float()
        possible = torch.zeros(logits.shape[:2], dtype=torch.bool)
        for row, example in enumerate(examples):
            window = example.window
            possible[row, window.first : window.first + len(window.starts)] = True
        possible[:, _UNANSWERABLE] = True
        lowest = torch.finfo(logits.dtype).min
        masked: Tensor = logits.masked_fill(~possible.to(logits.device)[..., None], lowest)
        return masked.transpose(1, 2).flatten(0, 1)

    def loss(self, outputs: Tensor, examples: Sequence[WindowExample]) -> Tensor:
        """Return the cross-entropy, summed over starts and ends."""
        places = [place for example in examples for place in (example.start, example.end)]
        return F.cross_entropy(
            outputs, torch.tensor(places, device=outputs.device), reduction="sum"
        )

    def soft_loss(self, student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
        """Return the cross-entropy with the teacher's softened outputs."""
        return soft_cross_entropy(student, teacher, temperature)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return exact match and F1 of the answers to the validation questions."""
        pairs = [question.pair for question in self._valid]
        found = values(self._task, pairs, pad_token_id=self._pad_token_id, device=device)
        scores = answer_scores(
            [question.answers for question in self._valid], [answers.answer for answers in found]
        )
        return {"f1": scores.f1, "exact_match": scores.exact_match}


def _windows(question: Question, row: EncodedQuestion) -> list[WindowExample]:
    """Return an example for each window of a question's context."""
    span = _token_span(question, row.offsets)
    answer = UNLABELLED if question.start == UNLABELLED else _UNANSWERABLE
    examples = []
    for window in row.pieces:
        assert isinstance(window, ContextWindow)  # noqa: S101
        example = WindowExample([window], start=answer, end=answer)
        if span is not None:
            first, last = (token - window.place for token in span)
            if first >= 0 and last < len(window.starts):
                example.start, example.end = window.first + first, window.first + last
        examples.append(example)
    return examples


def _token_span(question: Question, offsets: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the first and the last token of the first answer; None if there is none."""
    if question.start is None or question.start == UNLABELLED:
        return None
    end = question.start + len(question.answers[0])
    first = bisect_right([stop for _, stop in offsets], question.start)
    last = bisect_left([start for start, _ in offsets], end) - 1
    return (first, last) if first <= last else None
