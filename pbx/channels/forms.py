"""What of a website's form may be kept, and whom it is from.

Passwords and cards are never kept, whatever a page calls them: a field is known by its type, by its
``autocomplete`` word, or by its name, and a card's number in whatever was written by its check digit (Luhn,
ISO/IEC 7812): of a sentence only the number is left out. The tracking code does the same in the browser
already; this is for everybody else who posts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pbx.numbering import normalise

MOST_FIELDS = 60
LONGEST_VALUE = 5000

_SECRET_TYPES = frozenset({"password", "hidden", "file"})
_SECRET_WORDS = re.compile(
    r"passw|pass.?(phrase|code|wd)|\bpass\b|\bpwd|passwd|kennwort|secret|token|csrf|\botp\b|\bpin\b"
    r"|\bcards?\b|(credit|debit|bank).?card|card.?(n[ou]|nr|holder|code|exp|cv)|kredit|\bcc.?(n[ou]|exp|cs|cv)"
    r"|\bcvc|\bcvv|\bcvn|\bcsc\b|security.?code|expir|iban\b|account.?n[ou]|routing|\bssn\b|social.?security|tax.?id",
    re.IGNORECASE,
)
_SECRET_AUTOCOMPLETE = re.compile(r"\bcc-|password|one-time-code", re.IGNORECASE)
_DIGITS = re.compile(r"(\+?)(\d(?:[\s\-._/\u2010-\u2015]{0,3}\d){12,})")
_CARD = re.compile(r"3[47].{13}|3[0689].{12}|35.{14}|4(?:.{12}|.{15}|.{18})|(?:5[0-8]|2[2-7]).{14}|6.{15,18}")
"""Issuers' first digits and how long their numbers are."""
LEFT_OUT = "[card number left out]"
_PHONE = re.compile(r"\+?\(?\d[\d ().\-/]{5,24}\d")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_PHONE_NAMES = re.compile(r"phone|tel|mobile|cell|handy|rufnummer|number", re.IGNORECASE)
_NAME_NAMES = re.compile(r"name", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form, as the page has it."""

    name: str
    value: str
    type: str = ""
    autocomplete: str = ""


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom a form is from, as far as its fields say."""

    phone: str = ""  # E.164
    email: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        return self.phone or self.email or self.name


def without_cards(text: str) -> str:
    """With each row of digits left out that is a card's number, or has one within it."""
    return _DIGITS.sub(lambda found: LEFT_OUT if _holds_card(found[1], found[2]) else found[0], text)


def _holds_card(plus: str, written: str) -> bool:
    digits = "".join(str(int(each)) for each in written if each.isdecimal())
    if plus and len(digits) <= 15:  # a telephone number, by E.164
        return False
    if len(digits) <= 19 and digits[0] != "0" and _luhn(digits):
        return True
    return any(
        _CARD.fullmatch(part := digits[start : start + length]) and _luhn(part)
        for length in range(13, 20)
        for start in range(min(len(digits), LONGEST_VALUE) - length + 1)
    )


def _luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0 and len(set(digits)) > 1


def is_secret(field: Field) -> bool:
    return (
        field.type.lower() in _SECRET_TYPES
        or _SECRET_AUTOCOMPLETE.search(field.autocomplete) is not None
        or _SECRET_WORDS.search(_words(field.name)) is not None
    )


def _words(name: str) -> str:
    """``cardNumber``, ``card_number`` and ``card-number`` → ``card number``."""
    return re.sub(r"[_\-\[\].:]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))


def kept(fields: Iterable[Field]) -> dict[str, str]:
    """What may be kept, by name; of a name that comes again, all values."""
    found: dict[str, str] = {}
    for field in list(fields)[:MOST_FIELDS]:
        if not field.value.strip() or is_secret(field):
            continue
        value = without_cards(field.value.strip()[:LONGEST_VALUE])
        if value == LEFT_OUT:
            continue
        found[field.name] = f"{found[field.name]}, {value}" if field.name in found else value
    return found


def contact(fields: dict[str, str], country: str) -> Contact:
    """The first telephone number, address and name among the fields."""
    phone = next(
        (
            number
            for name, value in fields.items()
            if _PHONE_NAMES.search(name) and (number := normalise(value, country))
        ),
        "",
    )
    email = next((value for value in fields.values() if _EMAIL.fullmatch(value)), "")
    name = next((value for key, value in fields.items() if _NAME_NAMES.search(key)), "")
    return Contact(phone, email, name)


def contact_in(text: str, country: str) -> Contact:
    """The first telephone number and address that somebody wrote in a sentence."""
    numbers = (normalise(found[0], country) for found in _PHONE.finditer(text))
    email = _EMAIL.search(text)
    return Contact(next(filter(None, numbers), ""), email[0].rstrip(".,;!?)") if email else "")


def as_text(fields: dict[str, str]) -> str:
    """One line a field, for the inbox."""
    return "\n".join(f"{name}: {value}" for name, value in fields.items())
