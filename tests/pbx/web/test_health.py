"""Liveness, readiness, metrics, and a database that is away."""

from prometheus_client.parser import text_string_to_metric_families

from pbx.events import CallStatus
from tests.support.made_calls import NOON, ended, started


def test_liveness_needs_nothing(shared):
    assert shared.get("/healthz", role=None).json() == {"status": "ok"}


def test_readiness_names_the_part_that_is_down(site):
    answer = site.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")

    def broken():
        raise RuntimeError("no socket")

    site.state.checks = {"store": lambda: "the disk is full", "media": lambda: "", "sip": broken}
    answer = site.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["store"] == "the disk is full"
    assert answer.json()["parts"]["media"] == "ok"
    assert "no socket" in answer.json()["parts"]["sip"]


def test_metrics_count_calls_and_carry_the_servers_figures(site):
    site.bus.publish(started("c8"))
    site.bus.publish(started("c9"))
    site.bus.publish(ended("c9", NOON, CallStatus.MISSED))
    answer = site.get("/metrics")
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }
    assert found["pbx_calls_total", "missed"] == 1
    assert found["pbx_calls_total", "answered"] == 0
    assert found[("pbx_live_calls",)] == 1
    assert found["pbx_events_total", "call.started"] == 2
    assert found[("pbx_sip_requests_total",)] == 3
    assert found["pbx_ready", "store"] == 1


def test_without_a_database_the_api_says_so_and_liveness_stays(site):
    site.engine.dispose()
    for file in site.data_dir.glob("pbx.db*"):
        file.unlink()
    (site.data_dir / "pbx.db").mkdir()
    answer = site.get("/api/calls")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert site.get("/healthz", role=None).status_code == 200


def test_an_unforeseen_error_tells_no_details(site):
    site.state.calls = None
    answer = site.get("/api/calls")
    assert answer.status_code == 500
    assert answer.json()["detail"] == "the server made a mistake; its log says which"
    assert "NoneType" not in answer.text
