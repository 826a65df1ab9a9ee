"""What columns are usually called, by what they hold; the first name that a file has is taken."""

from distilcli.rows.formats import TEXT_COLUMNS

LABEL_COLUMNS = ("label", "labels", "category", "class", "sentiment", "target", "intent", "topic")
SEVERAL_COLUMNS = ("labels", "label", "categories", "tags", "topics")
NUMBER_COLUMNS = ("score", "label", "target", "value", "similarity")
ANSWER_COLUMNS = ("answers", "answer")
WORD_COLUMNS = ("tokens", "words")
TAG_COLUMNS = ("ner_tags", "tags", "labels")
FIRST_COLUMNS = ("sentence1", "text1", "anchor", "query", "question", *TEXT_COLUMNS)
SECOND_COLUMNS = ("sentence2", "text2", "positive", "passage", "answer", "pair")
CHOICE_COLUMNS = ("label", "answer", "gold", "answerkey", "target")
