"""What ``pbx check`` says of postal codes outside the United States."""

import pytest

ASK = "start: zip\nsteps:\n  zip: {collect: Your code., next: where}\n  ring: {dial: alice}\n  where:\n"
OFFICES = "    geo: [{name: near, offices: {ring: 'London, GB'}}]\n"
TOWNS = "    geo: [{name: near, areas: [London], to: ring}]\n"
CODES = "    geo: [{name: near, areas: ['SW1*', London], to: ring}]\n"
KNOWN = "are known of ZIP codes of the United States, not of postal codes of GB"


@pytest.mark.parametrize(
    ("country", "rule", "by", "told"),
    [
        ("GB", OFFICES, "zip", f"6:24: distances {KNOWN}"),
        ("GB", OFFICES, "[zip, number]", f"6:24: warning: distances {KNOWN}"),
        ("GB", TOWNS, "zip", f"6:24: states and towns {KNOWN}"),
        ("GB", CODES, "zip", None),
        ("GB", OFFICES, "number", None),
        ("US", OFFICES, "zip", None),
    ],
)
def test_codes_that_cannot_be_placed_are_told(disk, country, rule, by, told):
    disk.write("config.yaml", disk.config.read_text().replace("country: US", f"country: {country}"))
    disk.write("ivr_flows/main.yaml", f"{ASK}{rule}    by: {by}\n    otherwise: ring\n")
    said = [line.removeprefix("ivr_flows/main.yaml:").partition(";")[0] for line in disk.said()]
    assert [line for line in said if "postal codes" in line] == ([told] if told else [])
