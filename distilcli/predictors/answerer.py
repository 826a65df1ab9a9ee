"""Answer questions with spans of their contexts."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar, overload

from distilcli.model.heads import QuestionAnswerer
from distilcli.predictors.base import Predictor
from distilcli.tasks.qa import MAX_ANSWER_LENGTH, Answers, Pair, QaTask
from distilcli.tasks.settings import LongTexts, check_least
from distilcli.tasks.spec import QA_MAX_LENGTH

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from distilcli.predictors.base import Options

Item = TypeVar("Item")
Question = Pair | Mapping[str, str]


class Answerer(Predictor[QuestionAnswerer, Question, Pair, Answers]):
    """A trained question answerer, loaded once, for any number of questions.

    A question gets its `top_k` best answers, each of at most `max_answer_length` tokens. With
    `no_answer_threshold` a question whose `no_answer_score` is above it gets an empty answer
    first; the default is the threshold in the model's configuration, and without one a question
    always gets the best span, as it does with 1. Long contexts are read in windows of 384 tokens
    that overlap by 128, unless `long_texts` says otherwise.
    """

    _head = QuestionAnswerer
    _long_texts = LongTexts(long="window", max_length=QA_MAX_LENGTH)
    _wanted = "questions"
    _parts = ("the question", "the context")

    def __init__(
        self,
        model: str = "qa",
        *,
        top_k: int = 1,
        max_answer_length: int = MAX_ANSWER_LENGTH,
        no_answer_threshold: float | None = None,
        **options: "Unpack[Options]",
    ) -> None:
        """See `Predictor`."""
        check_least("top_k", top_k, 1)
        check_least("max_answer_length", max_answer_length, 1)
        super().__init__(model, **options)
        self._top_k = top_k
        self._max_answer_length = max_answer_length
        if no_answer_threshold is None:
            no_answer_threshold = self.config.no_answer_threshold
        self.no_answer_threshold = no_answer_threshold

    @overload
    def __call__(self, questions: Question) -> Answers: ...
    @overload
    def __call__(self, questions: Iterable[Question]) -> list[Answers]: ...

    def __call__(self, questions: Question | Iterable[Question]) -> Answers | list[Answers]:
        """Answer one question or many, each a tuple (question, context) or a dict with both.

        Raises `RowError` for the first one that cannot be answered, and `TypeError` for anything
        that is not a question with its context.
        """
        return self._results(questions)

    def _task(self, model: QuestionAnswerer, content_of: Callable[[Item], Pair]) -> QaTask[Item]:
        return QaTask(
            model,
            self._tokenizer,
            pair_of=content_of,
            long_texts=self._long_texts,
            max_answer_length=self._max_answer_length,
            top_k=self._top_k,
            no_answer_threshold=self.no_answer_threshold,
        )

    @staticmethod
    def _content(item: object) -> Pair:
        match item:
            case (str(question), str(context)) if isinstance(item, tuple):
                return question, context
            case {"question": str(question), "context": str(context)}:
                return question, context
        raise TypeError(f"give tuples (question, context) or dicts of both, not {item!r:.60}")

    @staticmethod
    def _is_one(given: object) -> bool:
        return isinstance(given, str | Mapping) or (
            isinstance(given, tuple) and bool(given) and isinstance(given[0], str)
        )
