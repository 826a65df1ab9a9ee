"""A question answerer ready to use: files to a model on a device, and questions to answers."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from distilcli.engine.engine import Engine, OnError
from distilcli.model.heads import QuestionAnswerer
from distilcli.model.precision import Precision
from distilcli.predictors.base import Predictor, itself, values_of
from distilcli.tasks.qa import MAX_ANSWER_LENGTH, MAX_LENGTH, Answers, Pair, QaTask
from distilcli.tasks.settings import MIN_AGREEMENT, BatchOptions, LongTexts

Item = TypeVar("Item")


class Answerer(Predictor[QuestionAnswerer]):
    """A trained question answerer, loaded once, for any number of questions.

    An answer has at most `max_answer_length` tokens, and a question gets `top_k` of them. With
    `no_answer_threshold` a question whose `no_answer_score` is above it gets an empty answer
    first; left out, the best span is always given. `long_texts` left out reads long contexts in
    windows of 384 tokens that share 128.
    """

    def __init__(
        self,
        model: str = "qa",
        *,
        device: str = "auto",
        precision: Precision = "fp32",
        min_agreement: float = MIN_AGREEMENT,
        top_k: int = 1,
        max_answer_length: int = MAX_ANSWER_LENGTH,
        no_answer_threshold: float | None = None,
        offline: bool = False,
        batches: BatchOptions | None = None,
        long_texts: LongTexts | None = None,
    ) -> None:
        """Raise `ModelError`, `ResourceError` or `UsageError` where it cannot be had."""
        super().__init__(
            QuestionAnswerer,
            model,
            device=device,
            precision=precision,
            min_agreement=min_agreement,
            offline=offline,
            batches=batches,
            long_texts=long_texts or LongTexts(long="window", max_length=MAX_LENGTH),
        )
        self._top_k = top_k
        self._max_answer_length = max_answer_length
        self._no_answer_threshold = no_answer_threshold

    def __call__(self, questions: Iterable[Pair | Mapping[str, str]]) -> list[Answers]:
        """Answer questions, each with its context; raises `RowError` for one that cannot be.

        A question is a tuple (question, context) or a dict of both; anything else is a
        `TypeError`. Answers come in the order of the questions.
        """
        if isinstance(questions, str | Mapping):
            raise TypeError("give a list of questions with their contexts, not one")
        return values_of(self.engine(itself, on_error="stop"), map(_as_pair, questions))

    def engine(
        self, pair_of: Callable[[Item], Pair], *, on_error: OnError = "keep"
    ) -> Engine[Item, Answers]:
        """Return the engine that answers items of any kind, given how to get question and context.

        Raises `UsageError` for settings that cannot be meant.
        """

        def task(model: QuestionAnswerer) -> QaTask[Item]:
            return QaTask(
                model,
                self._tokenizer,
                pair_of=pair_of,
                long_texts=self._long_texts,
                max_answer_length=self._max_answer_length,
                top_k=self._top_k,
                no_answer_threshold=self._no_answer_threshold,
            )

        return self._engine(task, on_error=on_error)


def _as_pair(item: object) -> Pair:
    match item:
        case (str(question), str(context)) if isinstance(item, tuple):
            return question, context
        case {"question": str(question), "context": str(context)}:
            return question, context
    raise TypeError(f"give tuples (question, context) or dicts of both, not {item!r:.60}")
