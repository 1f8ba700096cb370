"""Metrics of one's own: balanced accuracy for classification, chrF for generation.

A metric is measured at every evaluation and on the test split, beside those of the task kind, and logged as
`eval/<name>` and `test/<name>`; on models that were trained before, it is measured on their stored answers. It is given
what the model said for each row, and what was right. Libraries that take long to load are imported inside of it: a plan
loads this file too.
"""

from collections.abc import Sequence

from trainables.own_metrics import Metric
from trainables.plugins import register


def balanced(predicted: Sequence[int], labels: Sequence[int]) -> dict[str, float]:
    """The mean over the classes of the share that is recognised, 0 to 1."""
    from sklearn.metrics import balanced_accuracy_score

    return {"balanced_accuracy": float(balanced_accuracy_score(labels, predicted))}


def chrf(texts: Sequence[str], references: Sequence[Sequence[str]]) -> dict[str, float]:
    """chrF (Popovic, 2015), 0 to 100: the mean over the split of a text's score on its best reference."""
    import sacrebleu

    scores = [sacrebleu.sentence_chrf(text, list(refs)).score for text, refs in zip(texts, references, strict=True)]
    return {"chrf": sum(scores) / len(scores)}


register(Metric("classification", ("balanced_accuracy",), balanced))
register(Metric("generation", ("chrf",), chrf))
