"""What of a website's form may be kept, and whom it is from.

Passwords and card numbers are never kept, whatever a page calls them: they are known by the field's
type, by its ``autocomplete`` word, by its name, and a card by its check digit (Luhn, ISO/IEC 7812).
The tracking code leaves them out in the browser already; this is for everybody else who posts.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pbx.numbering import normalise

MOST_FIELDS = 60
LONGEST_VALUE = 5000

_SECRET_TYPES = frozenset({"password", "hidden", "file"})
_SECRET_WORDS = re.compile(
    r"pass(word|wd|phrase|code)?|pwd|passwort|kennwort|secret|token|csrf|otp|\bpin\b"
    r"|card|kredit|cvc|cvv|csc|security.?code|expir|iban|account.?n|routing|\bssn\b|social.?security|tax.?id",
    re.IGNORECASE,
)
_SECRET_AUTOCOMPLETE = re.compile(r"\bcc-|password|one-time-code", re.IGNORECASE)
_DIGITS = re.compile(r"(?:\d[ \-.]?){13,19}")
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


def has_card_number(text: str) -> bool:
    """Whether 13 to 19 digits in the text pass Luhn's check."""
    return any(_luhn(re.sub(r"\D", "", found[0])) for found in _DIGITS.finditer(text))


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
        or _SECRET_WORDS.search(field.name.replace("_", " ").replace("-", " ")) is not None
        or has_card_number(field.value)
    )


def kept(fields: Iterable[Field]) -> dict[str, str]:
    """What may be kept, by name; of a name that comes again, all values."""
    found: dict[str, str] = {}
    for field in list(fields)[:MOST_FIELDS]:
        if not field.value.strip() or is_secret(field):
            continue
        value = field.value.strip()[:LONGEST_VALUE]
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
