"""``reports.spend``: what the file says, and what is wrong with it, each at its place."""

from datetime import date
from fractions import Fraction

import pytest

from pbx.config.spend import read_spend
from pbx.spend import Spent

SOURCES = ("google-ads", "yellow-pages")
HEADER = "source,campaign,from,until,amount,currency\n"
NOVEMBER = date(2026, 11, 1), date(2026, 11, 30)


@pytest.fixture
def read(tmp_path):
    def run(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        spent, problems = read_spend(path, "USD", SOURCES)
        return spent, [str(each).removeprefix(f"{path}:") for each in problems]

    return run


def test_csv_and_yaml_say_the_same(read):
    table = (
        "\ufeffsource,campaign,from,until,amount,currency\r\n"
        'google-ads,"spring, ""early""",2026-11-01,2026-11-30,3000.50,USD\r\n\r\n'
        "yellow-pages,,2026-11-01,2026-11-30,0\r\n"
    )
    listed = (
        "- {source: google-ads, campaign: 'spring, \"early\"', from: 2026-11-01, until: 2026-11-30,"
        " amount: 3000.50, currency: USD}\n"
        "- {source: yellow-pages, from: '2026-11-01', until: 2026-11-30, amount: 0}\n"
    )
    wanted = (
        Spent("google-ads", 'spring, "early"', *NOVEMBER, Fraction("3000.5")),
        Spent("yellow-pages", "", *NOVEMBER, Fraction(0)),
    )
    assert read("spend.csv", table) == (wanted, [])
    assert read("spend.yaml", listed) == (wanted, [])


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "google-ad,,2026-11-01,2026-11-30,1,",
            "2:1: there is no source 'google-ad'; did you mean 'google-ads'?",
        ),
        ("google-ads,,2026-11-31,2026-11-30,1,", "2:13: '2026-11-31' is no day"),
        ("google-ads,,2026-12-01,2026-11-30,1,", "2:24: until 2026-11-30 is before from 2026-12-01"),
        ('google-ads,"a, b",2026-11-01,2026-11-30,"3,000",', "2:41: '3,000' is no amount"),
        ("google-ads,,2026-11-01,2026-11-30,-5,", "2:35: '-5' is no amount"),
        ("google-ads,,2026-11-01,2026-11-30,5,EUR", "2:37: 'EUR' is not reports.currency; convert"),
        ("google-ads,,2026-11-01,2026-11-30,,", "2:35: 'amount' is missing"),
        ("google-ads,,2026-11-01,2026-11-30", "2:1: 'amount' is missing"),
        ("google-ads,a,2026-11-01,2026-11-30,5,USD,x", "2:42: 7 cells under 6 columns"),
        ('google-ads,"a,2026-11-01,2026-11-30,5,USD', "2:12: a quoted cell does not end on this line"),
    ],
)
def test_what_is_wrong_with_a_line(read, line, told):
    good = "yellow-pages,,2026-11-01,2026-11-30,7,USD\n"
    spent, problems = read("spend.csv", f"{HEADER}{line}\n{good}")
    assert [each.amount for each in spent] == [7]
    assert len(problems) == 1
    assert problems[0].startswith(told)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", ["1:1: the file is empty"]),
        (b"\xff\xfe", ["1:1: the file is not UTF-8"]),
        (
            "source,from,until,amout\n",
            [
                "1:19: there is no column 'amout'; did you mean 'amount'?",
                "1:1: the column 'amount' is missing",
            ],
        ),
        ("source,source,from,until,amount\n", ["1:8: the column 'source' stands twice"]),
    ],
)
def test_what_is_wrong_with_the_whole(read, content, told):
    spent, problems = read("spend.csv", content)
    assert spent == ()
    assert [problem[: len(start)] for problem, start in zip(problems, told, strict=True)] == told


def test_what_is_wrong_in_yaml(read):
    spent, problems = read(
        "spend.yml",
        "- {source: yellow-pages, from: 2026-11-01, untill: 2026-11-30, amount: 1}\n"
        "- 5\n"
        "- {source: [a], from: {a: 1}, until: 2026-11-30, amount: true}\n",
    )
    assert spent == ()
    assert [problem.split(": ", 1)[0] for problem in problems] == [
        "1:44",
        "1:3",
        "2:3",
        "3:12",
        "3:23",
        "3:58",
    ]
    assert read("spend.yaml", "source: x\n")[1][0].startswith("1:1: write a list of mappings")
    assert read("spend.yaml", "- a: [\n")[1][0].startswith("1:1: not valid YAML")


def test_the_check_says_it_of_the_file_that_the_config_names(disk):
    disk.write("config.yaml", disk.config.read_text() + "reports: {spend: spend.csv}\n")
    assert "spend.csv:1:1: cannot be read: No such file or directory" in disk.said()
    disk.write("spend.csv", f"{HEADER}radio,,2026-11-01,2026-11-30,x,\n")
    assert [line for line in disk.said() if "spend" in line] == [
        "spend.csv:2:30: 'x' is no amount; write it like 1234.50, without a currency or commas"
    ]
    disk.write("spend.csv", f"{HEADER}radio,,2026-11-01,2026-11-30,30,\n")
    site, _ = disk.examine()
    assert [each.amount for each in site.spend] == [30]
