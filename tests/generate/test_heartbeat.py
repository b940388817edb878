"""Silence is noticed when it is long enough, and never before."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from xpshpc.generate.heartbeat import Beat, Heart, Watch, attempt_folder, read_beats
from xpshpc.store.commit import make_private_folder

BEAT = Beat(shard=1, attempt=1, host="host", pid=7, born=1)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), st.booleans()), min_size=1, max_size=100),
    st.floats(0.5, 30),
)
def test_silent_is_who_has_not_changed_for_as_long_as_was_said(
    looks: list[tuple[float, bool]], silence_s: float
) -> None:
    watch, now, count, changed = Watch(silence_s), 0.0, 0, 0.0
    assert watch.silent([BEAT], now) == []
    for pause, beats in looks:
        now += pause
        if beats:
            count, changed = count + 1, now
        beat = replace(BEAT, count=count)
        assert watch.silent([beat], now) == ([beat] if now - changed >= silence_s else [])


def test_a_new_attempt_starts_with_a_new_clock() -> None:
    watch = Watch(10)
    watch.silent([BEAT], 0)
    assert watch.silent([replace(BEAT, attempt=2)], 100) == []
    assert watch.silent([BEAT], 100) == []


def test_beats_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = make_private_folder(attempt_folder(tmp_path, 12, 3, os.getpid()))
    with Heart(folder, 12, 3) as heart:
        heart.beat("making", piece=2**40, sample=2**40 + 1)
        heart.beat("making", piece=0)
        [beat] = read_beats(tmp_path)
        assert (beat.shard, beat.attempt, beat.pid, beat.count) == (12, 3, os.getpid(), 2)
        assert (beat.step, beat.piece, beat.sample) == ("making", 0, None)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_no_beat_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "beat.json").write_text('{"shard": 1')
    (tmp_path / "file").touch()
    assert list(read_beats(tmp_path)) == []
    assert list(read_beats(tmp_path / "gone")) == []
