"""The document describes every route, is valid, and holds for whatever is thrown at the API."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.routing import WebSocketRoute

from pbx.web import pages, shapes
from pbx.web.openapi import OPERATIONS, document

PROBLEM = "application/problem+json"


def test_every_route_is_described(shared):
    described = {
        (path, method.upper())
        for path, item in shared.get("/openapi.json").json()["paths"].items()
        for method in item
    }
    own = {id(route) for route in pages.routes}
    served = {
        (route.path, method)
        for route in shared.app.routes
        if id(route) not in own and not isinstance(route, WebSocketRoute)
        for method in route.methods - {"HEAD"}
        if route.path not in ("/login", "/logout") and method != "OPTIONS"
    }
    assert described == served


def test_every_reference_leads_somewhere():
    text = str(document())
    references = set(re.findall(r"#/components/schemas/(\w+)", text))
    assert references <= set(document()["components"]["schemas"])
    assert len({operation.handler.__name__ for operation in OPERATIONS}) == len(OPERATIONS)


def check(operation, answer):
    """The answer is one that the document promises."""
    item = document()["paths"][operation.path][operation.method.lower()]
    assert str(answer.status_code) in item["responses"], f"{answer.status_code}: {answer.text[:200]}"
    content = item["responses"][str(answer.status_code)]["content"]
    media_type = answer.headers["content-type"].partition(";")[0]
    assert media_type in content
    if media_type == PROBLEM:
        shapes.ProblemDocument.model_validate(answer.json())
    elif isinstance(operation.answers, type):
        operation.answers.model_validate(answer.json())


@pytest.mark.parametrize(
    "operation",
    [each for each in OPERATIONS if each.path != "/api/live"],
    ids=lambda each: f"{each.method} {each.path}",
)
def test_the_usual_answer_is_as_described(shared, operation):
    path = (
        operation.path.replace("agents/{id}", "agents/alice")
        .replace("flows/{id}", "flows/main")
        .replace("{id}", "c0")
        .replace("{name}", "hour")
    )
    options = {"json": {}} if operation.method == "PATCH" else {}
    check(operation, shared.ask(operation.method, path, **options))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
values = st.one_of(
    texts, st.sampled_from(["7d", "2026-11-24", "c0", "answered", "1", "1000", "+12125550100"])
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def operation_at(path, method="GET"):
    return next(each for each in OPERATIONS if (each.path, each.method) == (path, method))


names = st.one_of(
    st.sampled_from(["since", "until", "source", "number", "agent", "status", "tag", "q", "limit", "cursor"]),
    texts,
)
usual = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@usual
@given(
    path=st.sampled_from(["/api/calls", "/api/reports/{name}"]),
    query=st.lists(st.tuples(names, values), max_size=4),
)
def test_no_query_surprises_the_api(shared, path, query):
    answer = shared.get(path.replace("{name}", "source"), params=query)
    check(operation_at(path), answer)


@usual
@given(
    body=st.one_of(
        anything,
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("score", "outcome", "tags", "note", "status"), anything)
        ),
    )
)
def test_no_body_surprises_the_api(shared, body):
    check(operation_at("/api/calls/{id}", "PATCH"), shared.ask("PATCH", "/api/calls/c5", json=body))


@usual
@given(header=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_no_header_surprises_the_api(shared, header):
    for prefix in ("bytes=", ""):
        answer = shared.get("/api/calls/c0/recording", headers={"range": prefix + header})
        assert answer.status_code in (200, 206, 416)
    answer = shared.get("/api/reports/hour", headers={"accept": header})
    assert answer.status_code == 200
