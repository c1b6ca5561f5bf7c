"""Digest authentication: the RFC's figures, and a server and a client of ours against each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.digest import Client, Server, Verdict, response_digest
from sip.headers import Challenge, Credentials
from tests.sip.password import authorize

REALM = "dialtrace"
PASSWORDS = {"alice": "s3cret", "bob": "b0b"}
URI = "sip:pbx.example.org"


def server(**settings) -> Server:
    return Server(REALM, b"secret", **settings)


def proof(challenges, *, username="alice", password="s3cret", method="REGISTER", uri=URI, **more) -> str:
    value = authorize(challenges, method=method, uri=uri, username=username, password=password, **more)
    assert value is not None
    return value


def verdict(judge: Server, *values: str, now: float = 100.0, method="REGISTER", uri=URI) -> Verdict:
    return judge.verify(values, method=method, uri=uri, password_of=PASSWORDS.get, now=now).verdict


# RFC 7616 §3.9.1.
@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_example(algorithm, expected):
    assert (
        response_digest(
            algorithm=algorithm,
            username="Mufasa",
            realm="http-auth@example.org",
            password="Circle of Life",
            method="GET",
            uri="/dir/index.html",
            nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop="auth",
            nonce_count="00000001",
            cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        )
        == expected
    )


def test_rfc_2069_example_as_its_erratum_749_has_it():
    assert (
        response_digest(
            algorithm="MD5",
            username="Mufasa",
            realm="testrealm@host.com",
            password="CircleOfLife",
            method="GET",
            uri="/dir/index.html",
            nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        )
        == "1949323746fe6a43ef61f9606e7febea"
    )


def test_a_client_is_let_in():
    judge = server()
    challenges = judge.challenges(100.0)
    assert [Challenge.parse(value).params["algorithm"] for value in challenges] == ["SHA-256", "MD5"]
    result = judge.verify(
        [proof(challenges)], method="REGISTER", uri=URI, password_of=PASSWORDS.get, now=101.0
    )
    assert (result.verdict, result.username, bool(result)) == (Verdict.ACCEPTED, "alice", True)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_client_that_knows_or_keeps_only_one_of_the_algorithms(kept):
    judge = server()
    assert verdict(judge, proof(judge.challenges(100.0)[kept : kept + 1])) is Verdict.ACCEPTED


@pytest.mark.parametrize(
    "given",
    [
        {"password": "wrong"},
        {"username": "nobody"},
        {"username": "nobody", "password": ""},
        {"username": "bob"},
        {"method": "INVITE"},
        {"uri": "sip:elsewhere.example.org"},
    ],
)
def test_whoever_is_wrong_is_told_the_same(given):
    judge = server()
    assert verdict(judge, proof(judge.challenges(100.0), **given)) is Verdict.WRONG


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("Basic YWxpY2U6czNjcmV0",),
        ("NoOneKnowsThis grip=firm",),
        ("Digest garbage",),
        ('Digest username="alice", realm="elsewhere", nonce="n", uri="sip:a", response="r"',),
    ],
)
def test_no_credentials_for_this_realm(values):
    assert verdict(server(), *values) is Verdict.ABSENT


def test_other_realms_credentials_stand_before_ours():
    judge = server()
    other = 'Digest username="alice", realm="elsewhere", nonce="n", uri="sip:a", response="r"'
    assert verdict(judge, other, proof(judge.challenges(100.0))) is Verdict.ACCEPTED


@pytest.mark.parametrize("uri", ["sip:pbx.example.org:5060", "sip:PBX.example.org;transport=UDP"])
def test_a_phone_that_writes_port_or_parameters_in_one_place_only(uri):
    judge = server()
    assert verdict(judge, proof(judge.challenges(100.0), uri=uri)) is Verdict.ACCEPTED


def test_a_nonce_ages():
    judge = server(lifetime_s=60)
    value = proof(judge.challenges(100.0))
    assert verdict(judge, value, now=161.0) is Verdict.STALE
    assert "stale=true" in str(judge.challenges(161.0, stale=True))


def test_a_wrong_password_with_an_old_nonce_is_wrong():
    judge = server(lifetime_s=60)
    assert verdict(judge, proof(judge.challenges(100.0), password="x"), now=161.0) is Verdict.WRONG


@pytest.mark.parametrize("nonce", ["", "AAAA", "no base64!", "é", "A" * 43])
def test_a_nonce_that_is_not_ours(nonce):
    forged = [f'Digest realm="{REALM}", nonce="{nonce}", qop="auth", algorithm=MD5']
    assert verdict(server(), proof(forged)) is Verdict.WRONG


def test_a_nonce_of_another_secret_or_from_the_future():
    challenges = Server(REALM, b"other").challenges(100.0)
    assert verdict(server(), proof(challenges)) is Verdict.WRONG
    assert verdict(server(), proof(server().challenges(200.0))) is Verdict.STALE


def test_a_replay_is_stale():
    judge = server()
    value = proof(judge.challenges(100.0))
    assert verdict(judge, value) is Verdict.ACCEPTED
    assert verdict(judge, value) is Verdict.STALE


def counted(challenge: str, highest: int) -> list[str]:
    """The credentials of so many uses of one nonce, in order."""
    client = Client("alice", "s3cret")
    client.challenged([challenge])
    values = (client.authorization(method="REGISTER", uri=URI) for _ in range(highest))
    return [value for value in values if value is not None]


def test_counts_may_overtake_each_other_and_serve_once():
    judge = server()
    uses = counted(judge.challenges(100.0)[0], 70)
    verdicts = [verdict(judge, uses[count - 1]) for count in (3, 1, 2, 2, 70, 6, 7, 7)]
    accepted, stale = Verdict.ACCEPTED, Verdict.STALE
    assert verdicts == [accepted, accepted, accepted, stale, accepted, stale, accepted, stale]


@pytest.fixture(scope="module")
def nonce_with_uses():
    challenge = server().challenges(100.0)[0]
    return counted(challenge, 150)


@given(st.lists(st.integers(0, 149), max_size=40))
def test_no_count_is_ever_taken_twice(nonce_with_uses, counts):
    judge = server()
    taken = [count for count in counts if verdict(judge, nonce_with_uses[count]) is Verdict.ACCEPTED]
    assert len(taken) == len(set(taken))
    assert not counts or taken[0] == counts[0]


def rfc_2069(challenge: str) -> str:
    params = Challenge.parse(challenge).params
    response = response_digest(
        algorithm="MD5",
        username="alice",
        realm=REALM,
        password="s3cret",
        method="REGISTER",
        uri=URI,
        nonce=params["nonce"],
    )
    given = {"username": "alice", "realm": REALM, "nonce": params["nonce"], "uri": URI, "response": response}
    return str(Credentials("digest", given))


def test_a_client_without_qop_may_use_a_nonce_once():
    judge = server()
    value = rfc_2069(judge.challenges(100.0)[1])
    assert verdict(judge, value) is Verdict.ACCEPTED
    assert verdict(judge, value) is Verdict.STALE


def test_a_nonce_in_use_cannot_be_downgraded():
    judge = server()
    challenges = judge.challenges(100.0)
    assert verdict(judge, proof(challenges)) is Verdict.ACCEPTED
    assert verdict(judge, rfc_2069(challenges[0])) is Verdict.STALE


def test_forgetting_a_nonce_never_admits_a_replay():
    judge = server(max_nonces=3)
    values = [proof(judge.challenges(100.0 + n)) for n in range(6)]
    assert [verdict(judge, value, now=110.0) for value in values] == [Verdict.ACCEPTED] * 6
    assert [verdict(judge, value, now=110.0) for value in values] == [Verdict.STALE] * 6


def test_wrong_credentials_leave_no_trace():
    judge = server(max_nonces=1)
    mine = proof(judge.challenges(100.0))
    for n in range(50):
        assert verdict(judge, proof(judge.challenges(100.0 + n / 100), password="x")) is Verdict.WRONG
    assert verdict(judge, mine) is Verdict.ACCEPTED


@given(st.text(max_size=60))
def test_any_credentials_get_a_verdict(text):
    judge = server()
    for value in (text, f'Digest realm="{REALM}", {text}'):
        assert verdict(judge, value) in (Verdict.ABSENT, Verdict.WRONG)


def test_a_secret_is_needed():
    with pytest.raises(ValueError, match="secret"):
        Server(REALM, b"")


# --- client


@given(
    st.sampled_from(["MD5", "md5", "SHA-256"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1, max_size=10),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
)
def test_any_name_and_password_pass(algorithm, username, password):
    judge = server()
    params = Challenge.parse(judge.challenges(100.0)[0]).params
    challenge = str(Challenge("digest", {**params, "algorithm": algorithm}))
    value = proof([challenge], username=username, password=password)
    result = judge.verify(
        [value], method="REGISTER", uri=URI, password_of={username: password}.get, now=100.0
    )
    assert (result.verdict, result.username) == (Verdict.ACCEPTED, username)


@pytest.mark.parametrize(
    "challenge",
    [
        "Basic realm=x",
        'Digest realm="r", nonce="n", algorithm=SHA-512',
        'Digest realm="r", nonce="n", qop="token"',
        'Digest realm="r"',
        "garbage, garbage",
    ],
)
def test_what_we_cannot_answer(challenge):
    assert authorize([challenge], method="INVITE", uri=URI, username="a", password="b") is None
    assert not Client("a", "b").challenged([challenge])
    known = 'Digest realm="r", nonce="n"'
    assert "response" in proof([challenge, known])


@pytest.mark.parametrize(
    ("qop", "expected"),
    [('"auth,auth-int"', "auth"), ('"auth-int"', "auth-int"), (None, None)],
)
def test_the_quality_of_protection_chosen(qop, expected):
    challenge = 'Digest realm="r", nonce="n", opaque="o", algorithm=MD5-sess' + (
        f", qop={qop}" if qop else ""
    )
    given = Credentials.parse(proof([challenge], body=b"v=0", cnonce="c")).params
    assert given.get("qop") == expected
    assert (given["opaque"], given["algorithm"], given["cnonce"]) == ("o", "MD5-sess", "c")
    assert given["response"] == response_digest(
        algorithm="MD5-sess",
        username="alice",
        realm="r",
        password="s3cret",
        method="REGISTER",
        uri=URI,
        nonce="n",
        qop=expected,
        nonce_count="00000001",
        cnonce="c",
        body=b"v=0",
    )


def test_a_client_counts_and_gives_up_on_a_wrong_password():
    client = Client("alice", "wrong")
    assert client.authorization(method="REGISTER", uri=URI) is None
    judge = server()
    assert client.challenged(judge.challenges(100.0))
    assert verdict(judge, client.authorization(method="REGISTER", uri=URI)) is Verdict.WRONG
    assert not client.challenged(judge.challenges(100.0))


def test_a_client_takes_a_new_nonce_when_its_own_is_used_up():
    judge = server(lifetime_s=60)
    client = Client("alice", "s3cret")
    assert client.challenged(judge.challenges(100.0))
    for _ in range(3):
        assert verdict(judge, client.authorization(method="REGISTER", uri=URI)) is Verdict.ACCEPTED
        client.accepted()
    assert verdict(judge, client.authorization(method="REGISTER", uri=URI), now=200.0) is Verdict.STALE
    assert client.challenged(judge.challenges(200.0, stale=True))
    assert verdict(judge, client.authorization(method="REGISTER", uri=URI), now=200.0) is Verdict.ACCEPTED
