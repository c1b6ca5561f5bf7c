"""``pbx pool plan`` with figures that make no sense."""

import pytest
from typer.testing import CliRunner

from pbx.cli import application
from tests.pbx.attribution.conftest import write_site

ENV = {"COLUMNS": "200", "NO_COLOR": "1"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--visitors", "inf"], "more than any pool can serve"),
        (["--visitors", "1e12"], "more than any pool can serve"),
        (["--visitors", "5", "--stay", "99999999999999d"], "longer than a duration can be"),
        (["--visitors", "5", "--stay", "-5m"], "is not a duration"),
    ],
)
def test_nonsense_is_refused_at_once(tmp_path, words, says):
    write_site(tmp_path)
    result = CliRunner(env=ENV).invoke(
        application(("pool",)), ["pool", "plan", *words, "--config", str(tmp_path / "config.yaml")]
    )
    assert result.exit_code == 2
    assert says in " ".join(result.output.split())
