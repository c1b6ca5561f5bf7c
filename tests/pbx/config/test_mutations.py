"""Whatever happens to a good config: a site or problems with places, never anything else."""

import re
import tempfile
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from pbx.config.load import examine
from tests.pbx.config.conftest import CONFIG

FLOW = (Path(__file__).parents[2] / "data" / "flows" / "good" / "everything.yaml").read_text()
CONFIG = CONFIG.replace("main", "everything") + (
    'pools: {web: {flow: everything, numbers: ["+12125550110"], targets: ["+12125550199"], hold: 5m}}\n'
    "sip: {listen: ['udp://127.0.0.1:5060']}\nmedia: {rtp_ports: 20000-24999, codecs: [pcmu]}\n"
    "server2: &x {a: ${A:-1}}\nrecording: {<<: *x, keep: 5d}\n"
)
SECRET = "tRiCkY-sEcReT"

words = st.sampled_from(
    [
        "", "~", "7", "-1", "1e999", "true", "off", "[]", "{}", "[x, 7]", "{a: {b: c}}", "+12125550100", "''",
        '"+1"', "2026-12-25", "2026-99-99", "*x", "&y z", "!t u", "${A}", "${B}", "'${A}'", "${", "\t", ": ",
        "- ", "\n", "\n  ", "#", "|", ">", "'", '"', "%", "@", "<<: *x", "next: hello", "\x00", "ü", "\u2028",
        "hangup", "alice", "999999999999999999999", ".nan", "0x", "🙂", "ring", "?", "[[[[", "}}}}",
    ]
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn, text: str) -> str:
    """``text`` with a few of its words replaced, doubled or taken away."""
    tokens = re.split(r"([\s:,{}\[\]\"]+)", text)
    for _ in range(draw(st.integers(1, 4))):
        index = draw(st.integers(0, len(tokens) - 1))
        tokens[index] = draw(st.one_of(words, words.map(lambda w: tokens[index] + w), st.text(max_size=5)))  # noqa: B023
    return "".join(tokens)


@settings(max_examples=150, deadline=None)
@given(config=st.one_of(st.just(CONFIG), mutated(CONFIG)), flow=st.one_of(st.just(FLOW), mutated(FLOW)))
def test_only_problems_with_places(config, flow):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        (path.parent / "ivr_flows").mkdir()
        texts = {path: config, path.parent / "ivr_flows" / "everything.yaml": flow}
        for file, text in texts.items():
            file.write_bytes(text.encode("utf-8", "surrogatepass"))
        site, problems = examine(path, {"A": SECRET}, date(2026, 11, 24))
    assert (site is None) == any(problem.is_error for problem in problems)
    for problem in problems:
        lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", texts[problem.file])
        assert 1 <= problem.line <= len(lines), problem
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, problem
        assert problem.message
        assert SECRET not in problem.message
        assert "\n" not in str(problem)
