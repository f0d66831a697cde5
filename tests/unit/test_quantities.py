"""Amounts of processor cores and memory, as Kubernetes takes them."""

from __future__ import annotations

import pytest

from fairing_az_jupyter.settings import InvalidSettingsError, Settings, quantities


@pytest.mark.parametrize("text", ["1", "2", "0.5", "500m", "16", "1.5", "0.001"])
def test_what_kubernetes_takes_for_cores_is_taken(text):
    assert Settings(cpu=text).cpu == text


@pytest.mark.parametrize("text", ["1Gi", "512Mi", "4G", "1073741824", "1.5Gi", "2048Ki", "1T"])
def test_what_kubernetes_takes_for_memory_is_taken(text):
    assert Settings(memory=text).memory == text


@pytest.mark.parametrize(
    ("given", "size"), [("20Gi", 20 * 1024**3), ("1", 1), ("0.5k", 500), (5_368_709_120, 5 * 1024**3)]
)
def test_a_size_of_files_may_be_any_number_of_bytes(given, size):
    assert quantities.amount(Settings(outputs_limit=given).outputs_limit) == size


@pytest.mark.parametrize(
    ("text", "corrected"), [("20GB", "20Gi"), ("5 gi", "5Gi"), ("0", ""), ("0Gi", ""), ("all", ""), ("-1", "")]
)
def test_what_is_no_size_is_refused_with_what_was_probably_meant(text, corrected):
    with pytest.raises(InvalidSettingsError) as refused:
        Settings(outputs_limit=text)

    assert refused.value.errors[0]["suggestion"] == corrected


@pytest.mark.parametrize(("value", "text"), [(2, "2"), (0.5, "0.5"), (1.0, "1")])
def test_a_number_of_cores_may_be_a_number(value, text):
    assert Settings(cpu=value).cpu == text


@pytest.mark.parametrize(
    ("text", "corrected"),
    [("2 cores", "2"), ("0,5", "0.5"), ("1 CPU", "1"), ("0", ""), ("-1", ""), ("many", ""), ("1.5m", ""), ("1e3", "")],
)
def test_other_cores_are_refused_with_what_was_probably_meant(text, corrected):
    with pytest.raises(InvalidSettingsError) as refused:
        Settings(cpu=text)

    assert refused.value.errors[0]["suggestion"] == corrected


@pytest.mark.parametrize(
    ("text", "corrected"),
    [
        ("2GB", "2Gi"),
        ("2 Gi", "2Gi"),
        ("2g", "2Gi"),
        ("512mb", "512Mi"),
        ("512m", "512Mi"),
        ("2", ""),
        ("0Gi", ""),
        ("a lot", ""),
        ("-2Gi", ""),
        ("1e9", ""),
    ],
)
def test_other_memory_is_refused_with_what_was_probably_meant(text, corrected):
    with pytest.raises(InvalidSettingsError) as refused:
        Settings(memory=text)

    assert refused.value.errors[0]["suggestion"] == corrected


@pytest.mark.parametrize("value", [True, None, [1]])
def test_what_is_neither_text_nor_number_is_refused(value):
    with pytest.raises(InvalidSettingsError):
        Settings(cpu=value)


@pytest.mark.parametrize(
    ("small", "large"),
    [("999m", "1"), ("2", "2.001"), ("512Mi", "1Gi"), ("1G", "1Gi"), ("2Gi", "3e9"), ("900k", "1Mi"), ("9P", "8Pi")],
)
def test_amounts_are_compared_whatever_their_units(small, large):
    assert quantities.amount(small) < quantities.amount(large)
