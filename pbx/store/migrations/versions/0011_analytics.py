"""What reports ask of a call stands in its row, and days and months are summed up in advance.

The triggers are what keeps the sums right whoever writes: a span that is summed up is struck off the list
when a call in it is added, changed or removed. Spans last 26 hours and 32 days at most. A caller is "first"
if no earlier inbound call came from the same number, also when calls are added out of order.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

FIGURES = (
    "calls", "answered", "missed", "abandoned", "voicemail", "completed", "rejected", "failed",
    "interrupted", "live", "first_time", "repeat", "ended", "duration_ms", "talked", "took_part",
    "talk_ms", "wait_ms", "queued", "queue_left", "queue_wait_ms", "queue_answered",
    "queue_abandoned", "in_time", "scored", "score_sum", "leads", "sales", "no_sales", "spam",
    "valued", "value_cents", "weak_area"
)  # fmt: skip
COUNTED = (
    "direction, from_number, to_number, flow, source, status, started_ms, connected_ms, ended_ms, talk_ms,"
    " agent, queue, queue_end, queue_wait_ms, left_at, score, outcome, value_cents, caller, area, medium,"
    " campaign, keyword, landing_page, pool"
)
"""Of a call, what figures and groups depend on."""

EARLIER = (
    "SELECT 1 FROM calls AS other WHERE other.from_number = {call}.from_number"
    " AND other.direction = 'inbound' AND (other.started_ms < {call}.started_ms"
    " OR (other.started_ms = {call}.started_ms AND other.id < {call}.id))"
)
FIRST_OR_REPEAT = (
    f"UPDATE calls SET caller = CASE WHEN EXISTS ({EARLIER.format(call='NEW')})"
    " THEN 'repeat' ELSE 'first' END WHERE id = NEW.id"
)
NO_LONGER_FIRST = (
    "UPDATE calls SET caller = 'repeat' WHERE from_number = NEW.from_number AND caller = 'first'"
    " AND (started_ms > NEW.started_ms OR (started_ms = NEW.started_ms AND id > NEW.id))"
)
HAS_CALLER = "NEW.direction = 'inbound' AND NEW.from_number <> ''"
STRUCK = (
    "DELETE FROM rolled_spans WHERE grain = 'day' AND begin_ms > {at} - 93600000 AND begin_ms <= {at}"
    " AND end_ms > {at}",
    "DELETE FROM rolled_spans WHERE grain = 'month' AND begin_ms > {at} - 2764800000 AND begin_ms <= {at}"
    " AND end_ms > {at}",
)
OF_LEG = "(SELECT started_ms FROM calls WHERE id = {leg}.call_id)"


def upgrade() -> None:
    _columns()
    _fill()
    op.create_table(
        "rolled_spans",
        sa.Column("grain", sa.String, primary_key=True),
        sa.Column("begin_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("end_ms", sa.BigInteger, nullable=False),
        sa.Column("basis", sa.Text, nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rollups",
        sa.Column("dimension", sa.String, primary_key=True),
        sa.Column("grain", sa.String, primary_key=True),
        sa.Column("begin_ms", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in FIGURES),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        _sqlite_triggers()
    else:
        _postgres_triggers()


def _columns() -> None:
    for column in (
        sa.Column("left_at", sa.Text, nullable=False, server_default=""),
        sa.Column("queue_end", sa.Text, nullable=False, server_default=""),
        sa.Column("queue_wait_ms", sa.BigInteger, nullable=True),
        sa.Column("value_cents", sa.BigInteger, nullable=True),
        sa.Column("caller", sa.Text, nullable=False, server_default=""),
        sa.Column("area", sa.Text, nullable=True),
    ):
        op.add_column("calls", column)
    op.add_column("legs", sa.Column("beside", sa.Boolean, nullable=False, server_default=sa.text("false")))
    unplaced = sa.text("area IS NULL")
    op.create_index(
        "calls_unplaced", "calls", ["from_number"], sqlite_where=unplaced, postgresql_where=unplaced
    )


def _fill() -> None:
    """What is already known of the calls there are. Areas are looked up when they are summed up."""
    op.execute(
        f"UPDATE calls SET caller = CASE WHEN EXISTS ({EARLIER.format(call='calls')})"
        " THEN 'repeat' ELSE 'first' END WHERE direction = 'inbound' AND from_number <> ''"
    )
    last = (
        "SELECT {column} FROM queue_visits WHERE call_id = calls.id AND left_ms IS NOT NULL"
        " AND visit = (SELECT MAX(visit) FROM queue_visits WHERE call_id = calls.id)"
    )
    op.execute(
        f"UPDATE calls SET queue_end = COALESCE(({last.format(column='ended_by')}), ''),"
        f" queue_wait_ms = ({last.format(column='waited_ms')}) WHERE queue IS NOT NULL"
    )
    # An agent who called a colleague: the talk is billed to the one who was called.
    op.execute(
        "UPDATE legs SET beside = true WHERE role = 'caller' AND connected_ms IS NOT NULL AND EXISTS"
        " (SELECT 1 FROM legs AS other WHERE other.call_id = legs.call_id AND other.role = 'agent'"
        " AND other.connected_ms IS NOT NULL)"
    )
    connection = op.get_bind()
    rows = connection.execute(sa.text("SELECT id, flow, path FROM calls WHERE path <> ''")).all()
    places = [
        {"id": id, "place": step if "/" in step else f"{flow}/{step}"}
        for id, flow, path in rows
        for step in [path.rpartition("\n")[2]]
    ]
    if places:
        connection.execute(sa.text("UPDATE calls SET left_at = :place WHERE id = :id"), places)


def _sqlite_triggers() -> None:
    def trigger(name: str, when: str, *statements: str) -> None:
        op.execute(f"CREATE TRIGGER {name} {when} BEGIN {' '.join(f'{each};' for each in statements)} END")

    trigger(
        "calls_caller",
        f"AFTER INSERT ON calls WHEN {HAS_CALLER}",
        FIRST_OR_REPEAT,
        NO_LONGER_FIRST,
    )
    new = [each.format(at="NEW.started_ms") for each in STRUCK]
    old = [each.format(at="OLD.started_ms") for each in STRUCK]
    trigger("calls_added", "AFTER INSERT ON calls", *new)
    trigger("calls_changed", f"AFTER UPDATE OF {COUNTED} ON calls", *new)
    trigger("calls_moved", "AFTER UPDATE OF started_ms ON calls", *old)
    trigger("calls_removed", "AFTER DELETE ON calls", *old)
    of_new = [each.format(at=OF_LEG.format(leg="NEW")) for each in STRUCK]
    of_old = [each.format(at=OF_LEG.format(leg="OLD")) for each in STRUCK]
    trigger("legs_added", "AFTER INSERT ON legs WHEN NEW.connected_ms IS NOT NULL", *of_new)
    trigger("legs_changed", "AFTER UPDATE OF agent, connected_ms, talk_ms, beside ON legs", *of_new)
    trigger("legs_removed", "AFTER DELETE ON legs", *of_old)


def _postgres_triggers() -> None:
    def function(name: str, *statements: str) -> None:
        body = " ".join(f"{each};" for each in statements)
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {body} RETURN NULL; END $$"
        )

    function("calls_caller", FIRST_OR_REPEAT, NO_LONGER_FIRST)
    function("strike_new", *(each.format(at="NEW.started_ms") for each in STRUCK))
    function("strike_old", *(each.format(at="OLD.started_ms") for each in STRUCK))
    function("strike_new_leg", *(each.format(at=OF_LEG.format(leg="NEW")) for each in STRUCK))
    function("strike_old_leg", *(each.format(at=OF_LEG.format(leg="OLD")) for each in STRUCK))
    for name, when, run in (
        ("calls_caller", f"AFTER INSERT ON calls FOR EACH ROW WHEN ({HAS_CALLER})", "calls_caller"),
        ("calls_added", "AFTER INSERT ON calls FOR EACH ROW", "strike_new"),
        ("calls_changed", f"AFTER UPDATE OF {COUNTED} ON calls FOR EACH ROW", "strike_new"),
        ("calls_moved", "AFTER UPDATE OF started_ms ON calls FOR EACH ROW", "strike_old"),
        ("calls_removed", "AFTER DELETE ON calls FOR EACH ROW", "strike_old"),
        (
            "legs_added",
            "AFTER INSERT ON legs FOR EACH ROW WHEN (NEW.connected_ms IS NOT NULL)",
            "strike_new_leg",
        ),
        (
            "legs_changed",
            "AFTER UPDATE OF agent, connected_ms, talk_ms, beside ON legs FOR EACH ROW",
            "strike_new_leg",
        ),
        ("legs_removed", "AFTER DELETE ON legs FOR EACH ROW", "strike_old_leg"),
    ):
        op.execute(f"CREATE TRIGGER {name} {when} EXECUTE FUNCTION {run}()")
