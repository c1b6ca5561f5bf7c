"""Personal data: hashed as the platforms want it where it may be sent, and recognised where it may not.

Hashes are SHA-256 of the normalised text, in hexadecimal. Google: an E.164 number with its +; an address
in small letters, without the dots of a Gmail name
(developers.google.com/google-ads/api/docs/conversions/enhanced-conversions/leads). Meta: the number's
digits with the country's code, without + and leading zeros; the address in small letters
(developers.facebook.com/docs/marketing-api/conversions-api/parameters/customer-information-parameters).
"""

import hashlib
import re

_EMAIL = re.compile(r"[^\s@/]+@[^\s@/]+\.[^\s@/]+|%40")
_PHONE = re.compile(r"(?<![0-9A-Za-z])\+?[0-9](?:[\s().\-/_]{0,3}[0-9]){6,14}(?![0-9A-Za-z])")


def personal(text: str) -> bool:
    """Whether there is something in it that may be an e-mail address or a telephone number.

    Seven digits and more in a row count as a number: in doubt a text is personal.
    """
    return _EMAIL.search(text) is not None or _PHONE.search(text) is not None


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def google_phone(e164: str) -> str:
    return hashed(e164)


def google_email(address: str) -> str:
    name, _, domain = address.strip().lower().partition("@")
    if domain in ("gmail.com", "googlemail.com"):
        name = name.replace(".", "")
    return hashed(f"{name}@{domain}")


def meta_phone(e164: str) -> str:
    return hashed(e164.lstrip("+0"))


def meta_email(address: str) -> str:
    return hashed(address.strip().lower())
