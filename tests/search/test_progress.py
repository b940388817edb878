"""A search's progress is told in epochs, fractions counted, and never goes back."""

from xpshpc.events import StageProgressed, StageStarted
from xpshpc.search.crew import EpochCount
from xpshpc.search.progress import SearchProgress


def test_a_training_has_come_as_far_as_its_steps():
    told = []
    count = EpochCount(4, told.append)
    count.hear(StageProgressed("train", 10))  # of how many is not known yet
    count.hear(StageStarted("train", 200, 70, "steps"))
    count.hear(StageStarted("evaluate", 1000, 0, "spectra"))
    for event in (StageProgressed("train", 125), StageProgressed("evaluate", 1000), StageProgressed("train", 200)):
        count.hear(event)
    assert told == [1.4, 2.5, 4.0]


def test_one_that_goes_on_from_its_last_checkpoint_is_not_told_to_have_less():
    # The second attempt repeats what came after the checkpoint.
    class Named:
        id = "b2d0"

    told = []
    progress = SearchProgress(told.append)
    for epochs in (1.5, 1.2, 1.4, 2.0):
        progress.hear(Named(), epochs)  # type: ignore[arg-type]
    assert [event.done for event in told] == [1.5, 1.5, 1.5, 2.0]
