"""A plain job whose network makes samples: trained, drawn and reported, and nothing is scored."""

import json

import pytest

from tests.cli.test_errors import xpshpc
from tests.report.test_html import read_page
from tests.train.gan_run import gan_job
from tests.train.stored_run import store_run

pytestmark = [pytest.mark.programs, pytest.mark.ranks]


def test_it_runs_to_its_report_and_a_second_call_does_no_work(tmp_path):
    run = store_run(tmp_path, gan_job(tmp_path))
    told = xpshpc("run", run.path, "--ranks", "1", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "epoch 3 of 3: D loss" in told.stderr and "evaluate:" not in told.stderr
    assert "validation D loss" in told.stdout and f"pictures  {run.path}" in told.stdout
    assert "not scored" in told.stdout
    page, text = read_page(run.report)
    assert "After epoch 1" in text and "After epoch 3" in text
    assert sum(tag == "img" and name == "src" for tag, name, _ in page.attributes) == 3

    again = json.loads(xpshpc("run", run.path, "--ranks", "1", "--json", folder=tmp_path).stdout)
    assert again["made"] == 0 and again["train"]["reused"] and again["evaluate"] is None
    assert again["train"]["warnings"] == [] and set(again["train"]["validation"]) >= {"d_loss", "g_loss", "diversity"}
    status = json.loads(xpshpc("status", run.path, "--json", folder=tmp_path).stdout)
    assert status["training"]["epoch"] == 3 and status["evaluation"] is None

    refused = xpshpc("evaluate", run.path, folder=tmp_path)
    assert refused.returncode == 2 and "xpshpc fid" in refused.stderr
