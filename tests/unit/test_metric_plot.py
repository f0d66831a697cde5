"""Metrics are read from what trainings print, and drawn small however many there are."""

from __future__ import annotations

import math
import re
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import xgboost

from fairing_az_jupyter.frontends.views.metric_plot import MetricSeries, svg


def read(*lines):
    series = MetricSeries()
    for line in lines:
        series.add(line)
    return series


def drawn(series):
    """Return the plot as an XML tree, as a browser reads it."""
    return ET.fromstring(f"<root>{svg(series)}</root>")  # noqa: S314 - it was made here


def test_what_xgboost_itself_prints_is_read(capfd):
    rng = np.random.default_rng(0)
    data = xgboost.DMatrix(rng.random((50, 3)), label=rng.random(50))
    result = {}
    xgboost.train({"max_depth": 2}, data, 5, evals=[(data, "train")], evals_result=result, verbose_eval=True)

    series = read(*capfd.readouterr().out.splitlines())

    assert [step for step, _ in series.points["train-rmse"]] == [0, 1, 2, 3, 4]
    assert [value for _, value in series.points["train-rmse"]] == pytest.approx(result["train"]["rmse"], abs=1e-4)


@pytest.mark.parametrize(
    ("line", "points"),
    [
        ("[12]\tvalidation_0-rmse:0.18372\tvalidation_1-rmse:0.19", {"validation_0-rmse": 12, "validation_1-rmse": 12}),
        ("[20]\tvalid_0's l2: 0.2342\tvalid_0's auc: 0.9", {"valid_0's l2": 20, "valid_0's auc": 20}),
        ("epoch=3 loss=0.1", {"loss": 3}),
        ("Epoch 3: loss=0.1, val_loss=2.5e-1", {"loss": 3, "val_loss": 3}),
        ("Step 10, train loss: 0.5", {"train loss": 10}),
        ("Step 10/200: loss=0.5", {"loss": 10}),
        ("iteration: 7 | auc = .9", {"auc": 7}),
        ("Round #4 accuracy: -1.5E-3", {"accuracy": 4}),
    ],
)
def test_a_line_of_common_trainings_has_its_metrics_at_its_step(line, points):
    assert {name: found[0][0] for name, found in read(line).points.items()} == points


def test_the_values_themselves_are_read():
    assert read("Epoch 3: loss=0.1, val_loss=2.5e-1, bias: -.5").last == {"loss": 0.1, "val_loss": 0.25, "bias": -0.5}


def test_keras_names_the_epoch_in_a_heading_above_its_values():
    series = read(
        "Epoch 1/2",
        "32/32 - 1s - 20ms/step - accuracy: 0.5000 - loss: 0.9000 - val_loss: 1.1000",
        "Epoch 2/2",
        "\x0832/32 ━━━━━━━━━━━━━━━━━━━━ 1s 5ms/step - accuracy: 0.7500 - loss: 0.4000 - val_loss: 0.6000",
    )

    assert series.points == {
        "accuracy": [(1, 0.5), (2, 0.75)],
        "loss": [(1, 0.9), (2, 0.4)],
        "val_loss": [(1, 1.1), (2, 0.6)],
    }


@pytest.mark.parametrize(
    "line",
    [
        "",
        "loss: 0.5",
        "Serving on http://127.0.0.1:8080",
        "2026-01-02 12:30:45 INFO: 5 files read",
        "Epoch 3 takes long",
        "epoch=3 lr=0.001 time: 3.5 eta: 7",
        "[5] is a list",
        "[notebook] value: 3",
        "epoch=1 version=1.2.3",
        "epoch=2 build=12ab",
        "Step 1/5 : FROM python:3.10",
        "STEP 1/5: FROM python:3.10",
        "epoch=9999999999999 loss=0.1",
    ],
)
def test_what_is_no_metric_at_a_step_is_passed_over(line):
    series = read(line)

    assert series.points == {}
    assert series.add(line) is False


@pytest.mark.parametrize("value", ["nan", "NaN", "inf", "-inf", "1e999"])
def test_a_value_that_is_no_number_leaves_the_metrics_as_they_were(value):
    series = read("epoch=1 loss=0.5", f"epoch=2 loss={value}", "epoch=3 loss=0.25")

    assert series.points == {"loss": [(1, 0.5), (3, 0.25)]}
    assert "nan" not in svg(series).lower()


def test_a_hundred_thousand_rounds_are_kept_as_some_points_over_all_of_them():
    series = read(*(f"[{step}]\ttrain-rmse:{1 / (step + 1):.6f}" for step in range(100_000)))
    points = series.points["train-rmse"]

    assert len(points) <= 800
    assert points[0] == (0, 1.0)
    assert points[-1] == (99_999, 0.00001)
    assert [step for step, _ in points] == sorted({step for step, _ in points})
    assert np.diff([step for step, _ in points]).max() < 100_000 / 100


def test_the_last_value_is_there_after_every_round():
    series = MetricSeries()
    for step in range(5_000):
        series.add(f"[{step}] rmse:{step}.0")
        assert series.last == {"rmse": float(step)}


def test_a_long_training_is_drawn_small():
    series = read(*(f"[{step}] a:{step % 7}.5 b:{step % 5}.5 c:{step % 3}.5" for step in range(20_000)))

    assert len(svg(series)) < 64_000


def test_a_progress_bar_that_writes_its_step_again_counts_once():
    series = read(*(f"Epoch 1: loss={value}" for value in (0.9, 0.5, 0.4)))

    assert series.points == {"loss": [(1, 0.4)]}
    assert not series.worth_drawing()


def test_a_training_with_many_metrics_keeps_six_of_them():
    series = read(*(f"epoch={step} " + " ".join(f"m{n}={n}.5" for n in range(20)) for step in range(3)))

    assert list(series.points) == [f"m{n}" for n in range(6)]
    assert len(drawn(series).findall(".//polyline")) == 6


@pytest.mark.parametrize("rest", ["z" * 9_000, "a'" * 4_000, "a b " * 4_000, "loss=" + "1" * 9_000 + "x"])
def test_long_lines_are_read_as_fast_as_they_are_printed(rest):
    began = time.monotonic()

    series = read(*(f"epoch={step} loss=0.5 {rest}" for step in range(1_000)))

    assert len(series.points["loss"]) > 400
    assert time.monotonic() - began < 20


def test_one_value_is_not_worth_a_plot():
    assert not read("epoch=1 loss=0.5").worth_drawing()
    assert read("epoch=1 loss=0.5", "epoch=2 loss=0.4").worth_drawing()


def test_the_plot_says_in_words_what_it_shows():
    tree = drawn(read("epoch=1 loss=0.5", "epoch=4 loss=0.125"))

    assert tree.find(".//svg[@role='img']").get("aria-label") == "loss from step 1 to step 4"
    assert [text.text for text in tree.findall(".//text")] == ["0.5", "0.125", "1", "4"]
    assert "loss 0.125" in "".join(tree.itertext())


def test_the_lines_of_two_metrics_differ_by_more_than_their_colour():
    lines = drawn(read("epoch=1 a=1.0 b=2.0", "epoch=2 a=2.0 b=1.0")).findall(".//polyline")

    assert len({line.get("stroke") for line in lines}) == 2
    assert len({line.get("stroke-dasharray") for line in lines}) == 2


def test_axes_and_texts_have_the_colour_of_the_text_around_them():
    tree = drawn(read("epoch=1 loss=0.5", "epoch=2 loss=0.4"))

    assert {each.get("fill") for each in tree.findall(".//text")} == {"currentColor"}
    assert tree.find(".//path").get("stroke") == "currentColor"


@pytest.mark.parametrize("value", ["0.0", "5.0", "-5.0", "1e-300", "1e300"])
def test_a_metric_that_never_changes_is_drawn_as_a_line_within_the_plot(value):
    series = read(f"epoch=1 loss={value}", f"epoch=2 loss={value}")

    numbers = [float(each) for each in re.split("[ ,]", drawn(series).find(".//polyline").get("points"))]

    assert all(math.isfinite(each) and 0 <= each <= 480 for each in numbers)


def test_the_name_of_a_metric_is_no_markup():
    # No name that is read from a line has such letters; the plot does not rely on it.
    series = MetricSeries(points={'<b>"x"&': [(1, 1.0), (2, 2.0)]})

    assert '<b>"x"& 2' in "".join(drawn(series).itertext())
