"""The task kinds. A new one is one file with its `Kind` and one entry here."""

from typing import Any

from trainables.tasks.kinds.base import Kind
from trainables.tasks.kinds.classification import Classification
from trainables.tasks.kinds.generation import Generation
from trainables.tasks.kinds.multiple_choice import MultipleChoice
from trainables.tasks.kinds.question_answering import QuestionAnswering
from trainables.tasks.kinds.regression import Regression
from trainables.tasks.kinds.token_classification import TokenClassification

KINDS: dict[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        Classification(),
        Regression(),
        TokenClassification(),
        Generation(),
        MultipleChoice(),
        QuestionAnswering(),
    )
}
