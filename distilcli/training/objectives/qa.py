"""Question answering: the first and the last token of the answer in its context."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from distilcli.engine.batching import Batch
from distilcli.model.heads import QuestionAnswerer
from distilcli.predictors.base import itself
from distilcli.scores.answers import answer_scores
from distilcli.tasks.qa import ContextWindow, EncodedQuestion, QaTask
from distilcli.tasks.settings import LongTexts
from distilcli.tasks.spec import QA_MAX_LENGTH
from distilcli.tokenizer.tokenizer import Tokenizer
from distilcli.training.data_checks import CheckedRows
from distilcli.training.datasets.classify import UNLABELLED
from distilcli.training.datasets.qa import Question
from distilcli.training.objectives.base import Example, Metric, Objective, encoded_all

_NO_ANSWER = 0  # the position of [CLS], which stands for "no answer"


@dataclass(slots=True)
class WindowExample(Example):
    """A question with one window of its context; `start` and `end` are positions in it."""

    start: int = _NO_ANSWER
    end: int = _NO_ANSWER

    @property
    def window(self) -> ContextWindow:
        """The window, which knows where the context is."""
        window = self.pieces[0]
        assert isinstance(window, ContextWindow)  # noqa: S101
        return window


class QaObjective(Objective[list[Question], QuestionAnswerer, WindowExample]):
    """Cross-entropy of the start and the end of the answer, over the context and [CLS].

    A window without the answer is trained as one that has none. The best model has the best F1.
    """

    task = "qa"
    head = QuestionAnswerer
    noun = "question"
    metric = Metric("f1")

    def checked(self, rows: list[Question], name: str) -> CheckedRows:
        """Return the questions for the data checks, with the answer that is trained on."""
        return CheckedRows(
            name=name,
            texts=[row.question for row in rows],
            pairs=[row.context for row in rows],
            answers=[[(text, row.said) for text in row.answers[:1]] for row in rows],
            places=[row.place for row in rows],
        )

    def count(self, rows: list[Question]) -> int:
        """Count the questions that can be learned from."""
        return sum(row.is_usable for row in rows)

    def gold(self, example: WindowExample) -> tuple[int, int]:
        """Return the start and the end of the answer in a window."""
        return example.start, example.end

    def outputs(
        self, model: QuestionAnswerer, batch: Batch, examples: Sequence[WindowExample]
    ) -> Tensor:
        """Return a logit per position (2B, T): for each window of its start, then of its end.

        Where no answer can be (the question, padding) it is the lowest number of the dtype.
        """
        logits = model(*batch.inputs).float()
        possible = torch.zeros(logits.shape[:2], dtype=torch.bool)
        for row, example in enumerate(examples):
            window = example.window
            possible[row, window.first : window.first + len(window.starts)] = True
        possible[:, _NO_ANSWER] = True
        lowest = torch.finfo(logits.dtype).min
        masked: Tensor = logits.masked_fill(~possible.to(logits.device)[..., None], lowest)
        return masked.transpose(1, 2).flatten(0, 1)

    def scores(self, device: torch.device) -> dict[str, float]:
        """Return F1 and exact match of the answers to the validation questions."""
        questions = [question for question in self.valid if question.is_usable]
        found = self._predictions(self._task, [question.pair for question in questions], device)
        scores = answer_scores(
            [question.answers for question in questions], [answers.answer for answers in found]
        )
        return {"f1": scores.f1, "exact_match": scores.exact_match}

    def _tokenized(
        self, model: QuestionAnswerer, tokenizer: Tokenizer, max_length: int
    ) -> list[WindowExample]:
        self._task = QaTask(
            model,
            tokenizer,
            pair_of=itself,
            long_texts=LongTexts(long="window", max_length=min(max_length, QA_MAX_LENGTH)),
        )
        questions = [question for question in self.train if question.is_usable]
        encoded = encoded_all(self._task.encode, [question.pair for question in questions])
        return [
            example
            for question, row in zip(questions, encoded, strict=True)
            for example in _windows(question, row)
        ]


def _windows(question: Question, row: EncodedQuestion) -> list[WindowExample]:
    """Return an example for each window of a question's context."""
    span = _token_span(question, row.offsets)
    answer = UNLABELLED if question.start == UNLABELLED else _NO_ANSWER
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
