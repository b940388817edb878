"""The report tells what a run left, says what is missing, opens offline, and nothing in it can run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.report.story_of_a_run import tell_run
from tests.train.stored_run import small_job, store_run
from xpshpc.config import JobFile
from xpshpc.evaluate.__main__ import save_findings
from xpshpc.evaluate.evaluate import pose_question
from xpshpc.evaluate.rank import Findings
from xpshpc.events import EventLog, StageFinished, StageStarted
from xpshpc.plan.shards import split_shards
from xpshpc.report.embed import rename_identifiers
from xpshpc.report.html import write_report
from xpshpc.report.run_summary import summarise_run
from xpshpc.report.tables import list_largest
from xpshpc.run_directory import RunDirectory, save_job, write_atomically
from xpshpc.store.read import Store
from xpshpc.train.history import EpochFinished, history_path, write_history
from xpshpc.train.result import card_path, file_hash

NOON = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
EVIL = '<script>alert("x")</script>'
VOID = {"meta", "link", "img", "br", "hr"}


@dataclass
class Page(HTMLParser):
    """A page taken apart: texts, tags, attributes; unbalanced tags are errors."""

    text: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    open_tags: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open_tags.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open_tags.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open_tags and self.open_tags[-1] not in ("style",):
            self.text.append(data)


def read_page(path: Path) -> tuple[Page, str]:
    html = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    page.close()
    assert page.open_tags == []
    return page, " ".join(" ".join(page.text).split()).replace("\u202f", " ")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunDirectory, JobFile]:
    """A run with all its stages: a real store with quarantined samples, and answers that err by known amounts."""
    folder = tmp_path_factory.mktemp("runs")
    job_file = small_job(folder, samples=400)
    run = store_run(folder, job_file, quarantined={0: 2})
    times = iter([100.0, 110.0, 500.0, 525.0])
    with EventLog(run.events, clock=lambda: next(times)) as log:
        for event in (StageStarted("generate", 400, 0, "samples"), StageFinished("generate", 10.0)) * 2:
            log.emit(event)
    history = [
        EpochFinished(n, 3, 0.3 / n, {"accuracy": 0.7 + 0.08 * n, "loss": 0.4 / n}, 2.0, 900.0, 1e-3, 0.01)
        for n in (1, 2, 3)
    ]
    run.train.mkdir()
    write_history(history_path(run), history)
    run.model.write_bytes(b"weights")
    training: dict[str, Any] = {
        "settings": "s", "ranks": 2, "epochs": 3, "best_epoch": 3, "validation": history[-1].validation,
        "seconds": 6.0, "spectra_per_s": 900.0, "data_wait_share": 0.01, "resumed_from": None,
    }  # fmt: skip
    write_atomically(card_path(run), json.dumps({"sha256": file_hash(run.model), "training": training}).encode())
    problem, store = job_file.problem(), Store(run)
    rows = store.read_shard(split_shards(len(store.plan), job_file.job.split).held_out[0], problem.reads)
    truth = problem.targets(rows)
    answer = {
        "composition": 0.9 * truth["composition"] + 0.1 / 80,
        "overlayer_thickness": truth["overlayer_thickness"] + 1,
    }
    frechet = {
        "value": 0.5, "method": "cholesky", "mean_term": 0.2, "trace_term": 0.3, "n_a": 4096, "n_b": 32,
        "dimensions": 16, "rank_a": 16, "rank_b": 16, "layer": "features", "split_half_baseline": 0.01,
        "split_half_n": [2048, 2048], "same_size_baseline": 0.45, "same_size_n": [32, 4064],
    }  # fmt: skip
    metrics = {**problem.summarise(problem.score(truth, answer), {}), "samples": 32, "frechet": frechet}
    save_findings(run, Findings(metrics, truth, answer), pose_question(run, job_file), ranks=2, seconds=1.5)
    spectrum = {
        "file": f"{EVIL}.vms", "name": EVIL, "composition_at_percent": {"Cu": 97.1, "O": 2.9}, "rest_at_percent": 0.0,
        "overlayer_A": 8.25, "remarks": ["energy scale taken as <kinetic>"], "plot": "/elsewhere/cu.svg",
    }  # fmt: skip
    write_atomically(run.analyze / "analysis.json", json.dumps({"spectra": [spectrum]}).encode())
    write_atomically(run.analyze / "cu.svg", f'<svg xmlns="http://www.w3.org/2000/svg">{EVIL}</svg>'.encode())
    return run, job_file


@pytest.fixture(scope="module")
def page(whole: tuple[RunDirectory, JobFile]) -> tuple[Page, str]:
    path = write_report(*whole, now=lambda: NOON)
    assert path == whole[0].report
    assert path.stat().st_size < 5_000_000
    return read_page(path)


@pytest.mark.parametrize(
    "told",
    [
        "Written 2026-11-21 12:30 UTC",
        "Planned 400 samples",
        "Stored 398 samples in 13 of 13 shards",
        "In quarantine 2 samples",
        "crash 2 samples",
        "generate 35 s",
        "Ranks 2",
        "Epochs 3, the best one 3",
        "Accuracy 94.00 %",
        "0.4500 (32 against 4 064 samples)",
        "0.01000 (2 048 against 2 048 samples)",
        "Cu 97.1, O 2.9",
        "Overlayer (Å) 8.25",
        "energy scale taken as <kinetic>",
        "mean error 1.00 Å, bias +1.00 Å",
        "Binding energy (eV)",
        "True overlayer thickness (Å)",
        "True fraction (at.%)",
        "Thickness RMSE – 1.000 Å",
        "Element set correct – 100.00 %",
        "Within 20 % share – 100.00 %",
        "Detection by element",
        "the harmonic mean of precision and recall",
        "≥ 0.5 at.% 100.0 % 100.0 % 100.0 %",
        "More of each",
        "F1, ≥ 5 at.%",
        "Epoch",
    ],
)
def test_the_page_tells_what_the_run_left(told: str, page: tuple[Page, str]) -> None:
    if told == "crash 2 samples":
        assert re.search(r"0 crash test\s+1 crash test", page[1])
    elif told == "Accuracy 94.00 %":
        assert re.search(r"Accuracy 94\.00 % \d\d\.\d\d %", page[1])
    else:
        assert told in page[1]


def test_every_element_of_the_samples_has_its_row(page: tuple[Page, str]) -> None:
    for symbol in ("C", "O", "Cu"):
        assert re.search(rf"\b{symbol} \d+ 0\.\d+ 0\.\d+", page[1])


def test_the_page_loads_nothing_and_nothing_in_it_runs(
    page: tuple[Page, str], whole: tuple[RunDirectory, JobFile]
) -> None:
    parsed, text = page
    assert EVIL in text, "what a file is called is shown as it is"
    tags = {tag for tag, _, _ in parsed.attributes}
    assert tags.isdisjoint({"script", "iframe", "object", "embed", "link", "foreignobject"})
    for tag, name, value in parsed.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href"):
            assert value.startswith(("data:image/", "#")), (tag, value[:60])
    html = whole[0].report.read_text()
    assert "@import" not in html and "<script" not in html
    assert set(re.findall(r"https?://[^\"' )]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_identifiers_are_unique_and_every_reference_finds_its_own(
    page: tuple[Page, str], whole: tuple[RunDirectory, JobFile]
) -> None:
    identifiers = [value for _, name, value in page[0].attributes if name == "id"]
    assert len(identifiers) == len(set(identifiers))
    html = whole[0].report.read_text()
    references = set(re.findall(r'(?:href="#|url\(#)([^")]+)', html))
    assert references and references <= set(identifiers)


@pytest.mark.usefixtures("page")
def test_the_same_run_gives_the_same_page(whole: tuple[RunDirectory, JobFile]) -> None:
    first = whole[0].report.read_bytes()
    assert write_report(*whole, now=lambda: NOON).read_bytes() == first


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ({"data", "train"}, ["No sample has been made yet", "Training has not begun"]),
        ({"train"}, ["Planned 320 samples", "Training has not begun"]),
        (set(), ["not finished: 1 of 3 epochs", "It has not been computed"]),
    ],
    ids=["empty", "data only", "half trained"],
)
def test_what_is_missing_is_said(without: set[str], told: list[str], tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=320)
    if "data" in without:
        run = RunDirectory(tmp_path / "small")
        run.path.mkdir()
        save_job(run, job_file)
    else:
        run = store_run(tmp_path, job_file, leave_out=frozenset({4}))
    if "train" not in without:
        write_history(history_path(run), [EpochFinished(1, 3, 0.3, {"loss": 0.4}, 2.0, 900.0, 1e-3, 0.01)])
    _, text = read_page(write_report(run, job_file))
    for words in told:
        assert words in text


def test_planned_samples_are_stored_in_quarantine_or_still_to_make(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=330)
    run = store_run(tmp_path, job_file, quarantined={0: 3, 2: 32}, leave_out=frozenset({4, 10}))
    data = summarise_run(run, job_file).data
    assert (data.planned, data.committed, data.quarantined, data.pending) == (330, 330 - 35 - 42, 35, 42)
    assert len(data.listed_quarantined) == 35


def test_what_happened_is_told_where_something_did(page: tuple[Page, str], tmp_path: Path) -> None:
    assert "What happened" not in page[1]
    job_file = small_job(tmp_path, samples=320)
    run = store_run(tmp_path, job_file)
    events = list(tell_run(4, 50, coordinators=2, faults=12))
    run.events.write_text("".join(json.dumps(event) + "\n" for event in events))
    history = [
        {"time": 1e9, "stage": "generate", "job_id": "17", "restart": 0, "what": "started", "host": "node1"},
        {"time": 1e9 + 60, "stage": "generate", "job_id": "17", "restart": 0, "what": "requeued", "why": EVIL},
    ]
    write_atomically(run.slurm / "history.jsonl", "\n".join(map(json.dumps, history)).encode())
    _, text = read_page(write_report(run, job_file))
    for words in ("Workers and faults", "Time at work", "Samples/s", "together 12", f"1 min 00 s requeued {EVIL}"):
        assert words in text
    assert "<script" not in run.report.read_text()


def test_a_damaged_analysis_is_left_out(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=320)
    run = RunDirectory(tmp_path / "small")
    save_job(run, job_file)
    for damaged in (b"", b"[]", b'{"spectra": [{}]}', b'{"spectra": 3}', b'{"spectra": ["x"]}'):
        write_atomically(run.analyze / "analysis.json", damaged)
        assert "Measured spectra" not in read_page(write_report(run, job_file))[1]


def test_a_figure_outside_the_run_is_not_read(tmp_path: Path) -> None:
    job_file = small_job(tmp_path, samples=320)
    run = RunDirectory(tmp_path / "small")
    save_job(run, job_file)
    (tmp_path / "secret.svg").write_text("<svg>secret</svg>")
    run.analyze.mkdir()
    (run.analyze / "linked.svg").symlink_to(tmp_path / "secret.svg")
    for plot in ("../secret.svg", str(tmp_path / "secret.svg"), "linked.svg"):
        told = {"spectra": [{"file": "a", "composition_at_percent": {}, "plot": plot}]}
        write_atomically(run.analyze / "analysis.json", json.dumps(told).encode())
        assert summarise_run(run, job_file).analyses[0].svg is None


def test_renamed_identifiers_keep_their_references() -> None:
    svg = '<svg><path id="a"/><use xlink:href="#a" x="1"/><g clip-path="url(#a)" style="fill:url(#a)"/></svg>'
    assert rename_identifiers(svg, "p-").count("p-a") == 4
    assert rename_identifiers(svg, "") == svg


def test_many_values_are_shortened_without_losing_their_sum() -> None:
    values = {f"E{n}": float(n) for n in range(1, 13)}
    told = list_largest(values)
    assert told.startswith("E12 12.0, E11 11.0") and told.endswith("4 others 10.0 together")
    assert list_largest({}) == "none"
    np.testing.assert_allclose(
        sum(float(part.split()[-1]) for part in told.split(", ")[:-1]) + 10, sum(values.values())
    )
