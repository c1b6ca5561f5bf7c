"""Where a number is from, and how sure that is."""

import pytest

from pbx.geo import fault, match

NEWARK = "+19735551234"
MANHATTAN = "+12125550100"
LONDON = "+442071838750"
OTTAWA = "+16132334567"


@pytest.mark.parametrize(
    ("areas", "caller", "area"),
    [
        (["+1212", "+1646"], MANHATTAN, "+1212"),
        (["+1 (646)", "+1 (212)"], MANHATTAN, "+1 (212)"),
        (["+1973", "New Jersey"], "+12015550123", "New Jersey"),
        (["NJ"], NEWARK, "NJ"),
        (["new jersey"], NEWARK, "new jersey"),
        (["New York"], MANHATTAN, "New York"),
        (["New York, NY"], MANHATTAN, "New York, NY"),
        (["New York, New York"], MANHATTAN, "New York, New York"),
        (["DC"], "+12025550100", "DC"),
        (["District of Columbia"], "+12025550100", "District of Columbia"),
        (["US"], NEWARK, "US"),
        (["United States"], NEWARK, "United States"),
        (["Ontario"], OTTAWA, "Ontario"),
        (["Canada"], OTTAWA, "Canada"),
        (["London"], LONDON, "London"),
        (["GB"], LONDON, "GB"),
        (["Nova Scotia"], "+19025550100", "Nova Scotia"),
        (["Prince Edward Island"], "+19025550100", "Prince Edward Island"),
    ],
)
def test_who_is_from_there(areas, caller, area):
    found = match(areas, caller)
    assert found is not None
    assert found.area == area


@pytest.mark.parametrize(
    ("areas", "caller"),
    [
        (["+1646", "New York"], NEWARK),
        (["Georgia"], "+995322000000"),  # the country; the state is what the name means
        (["CA"], OTTAWA),  # California
        (["Washington"], "+12025550100"),  # the state
        (["GB"], NEWARK),
        ([], NEWARK),
        (["New Jersey"], ""),
        (["New Jersey"], "anonymous"),
        (["New Jersey"], "+"),
        (["US"], "+999"),
        (["New Jersey"], "+18005550100"),
    ],
)
def test_who_is_not(areas, caller):
    assert match(areas, caller) is None


def test_reasons():
    assert str(match(["+1973"], NEWARK)) == "the number begins with +1973"
    assert not match(["+1973"], NEWARK).weak
    by_state = match(["New Jersey"], NEWARK)
    assert by_state.weak
    assert str(by_state) == (
        "the number is from New Jersey; it may be a mobile, which keeps its number when its owner moves"
    )
    by_country = match(["US"], NEWARK)
    assert not by_country.weak
    assert str(by_country) == "the number is from New Jersey"
    fixed = match(["London"], LONDON)
    assert not fixed.weak
    assert str(fixed) == "the number is from London"
    mobile = match(["Guernsey"], "+447911123456")
    assert not mobile.weak  # a mobile's country is sure
    place = match(["Rome"], "+390612345678")
    assert not place.weak


@pytest.mark.parametrize(
    "area",
    ["+1212", "+1", "+1 (212)", "New Jersey", "NJ", "nj", "Newark, NJ", "Chicago", "London", "Canada", "GB"],
)
def test_areas(area):
    assert fault(area) is None


@pytest.mark.parametrize(
    ("area", "says"),
    [
        ("New Jersy", "no numbers are known to be from 'New Jersy'; did you mean 'New Jersey'?"),
        ("Cannada", "did you mean 'Canada'?"),
        ("212", "has a + and its country code, such as +1212"),
        ("+", "no beginning of a number"),
        ("+12x", "no beginning of a number"),
        ("", "no numbers are known to be from ''"),
    ],
)
def test_no_areas(area, says):
    assert says in fault(area)
