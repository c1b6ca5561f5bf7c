"""Where a number is from, and how sure that is."""

import pytest

from pbx.geo import by_code, fault, match, whereabouts_by_number
from pbx.places import fault as place_fault
from pbx.places import in_words, spot

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
    by_prefix = match(["+1973"], NEWARK)
    assert by_prefix.weak
    assert str(by_prefix) == (
        "the number begins with +1973; it may be a mobile, which keeps its number when its owner moves"
    )
    assert str(match(["+4420"], LONDON)) == "the number begins with +4420"
    assert str(match(["+44"], "+447911123456")) == "the number begins with +44"
    assert "a mobile's number says little" in str(match(["+447"], "+447911123456"))
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


@pytest.mark.parametrize(
    ("areas", "code", "area"),
    [
        (["+1212", "06*", "071*"], "07102", "071*"),
        (["07102"], "07102", "07102"),
        (["New York", "NJ"], "07102", "NJ"),
        (["Newark, NJ"], "07102", "Newark, NJ"),
        (["US"], "07102", "US"),
        (["sw1*"], "SW1A", "sw1*"),
    ],
)
def test_who_typed_a_code_from_there(areas, code, area):
    assert by_code(areas, code, "US").area == area


@pytest.mark.parametrize(
    ("areas", "code", "country"), [(["NJ"], "10001", "US"), (["NJ"], "07102", "DE"), (["NJ"], "00000", "US")]
)
def test_who_typed_one_that_is_not(areas, code, country):
    assert by_code(areas, code, country) is None


def test_a_code_says_where_it_is():
    assert str(by_code(["NJ"], "07302", "US")) == "the code 07302 typed in is Jersey City, NJ"


@pytest.mark.parametrize(
    ("written", "latitude", "longitude"),
    [
        ("Newark, NJ", 40.7, -74.2),
        ("new york, ny", 40.8, -74.0),
        ("02108, US", 42.4, -71.1),
        ("London, GB", 51.5, -0.1),
        ("Toronto, CA", 43.7, -79.4),
        ("48.85, 2.35", 48.85, 2.35),
    ],
)
def test_places_are_where_they_are(written, latitude, longitude):
    found = spot(written)
    assert (found.latitude, found.longitude) == pytest.approx((latitude, longitude), abs=0.15)


@pytest.mark.parametrize("written", ["Nowhere, NJ", "London", "00000, US", "95.0, 10.0", "", ","])
def test_places_that_are_not_known_are_told(written):
    assert spot(written) is None
    assert "is no place that is known" in place_fault(written)


def test_distances():
    newark, boston = spot("Newark, NJ"), spot("Boston, MA")
    assert newark.km_to(boston) == pytest.approx(315, abs=15)
    assert newark.km_to(newark) == pytest.approx(0, abs=0.001)
    assert in_words(newark.km_to(spot("07302, US"))) == "13 km (8 miles)"


@pytest.mark.parametrize(
    ("caller", "near", "doubt"),
    [
        (NEWARK, "Newark, NJ", True),  # the data say no more than New Jersey: the middle of 973
        (MANHATTAN, "New York, NY", True),
        (LONDON, "London, GB", False),
        (OTTAWA, "Ottawa, CA", True),
    ],
)
def test_where_a_number_is(caller, near, doubt):
    where = whereabouts_by_number(caller)
    assert where.spot.km_to(spot(near)) < 40
    assert bool(where.doubt) is doubt


def test_a_number_without_a_place_is_nowhere():
    assert whereabouts_by_number("+18005550100") is None
    assert whereabouts_by_number("") is None
