"""Who may use the API and the dashboard: users, their sessions, and tokens for programs.

Passwords are hashed with argon2id. Token and session secrets are 256 random bits, so a plain
SHA-256 is enough to keep a stolen database from signing in. An unknown user costs the same argon2
work as a wrong password, so that the time taken tells nobody which names exist.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Engine, delete
from sqlmodel import Session, col, select

from pbx.store.encoding import to_ms
from pbx.store.tables import SessionRow, TokenRow, UserRow

# OWASP's least for argon2id (19 MiB, two passes): a login must not slow the calls on a small machine.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_urlsafe(32))
SESSION_LASTS = timedelta(days=14)


class Role(StrEnum):
    """Admins and managers change calls; agents read them and change those they took."""

    ADMIN = "admin"
    MANAGER = "manager"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a user by session, or a token. An agent's name is the agent's id."""

    name: str
    role: Role
    by_session: bool = False

    def may_edit(self, agents: frozenset[str]) -> bool:
        """Whether this one may change a call that these agents talked on."""
        return self.role is not Role.AGENT or self.name in agents


class NameTaken(ValueError):  # noqa: N818 - says what is wrong
    """Somebody has this name already."""


class People:
    """Users, tokens and sessions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add_user(self, name: str, role: Role, now: datetime) -> str:
        """A new user; returns the password, which is not kept."""
        password = secrets.token_urlsafe(15)
        with Session(self._engine) as session:
            if session.get(UserRow, name):
                raise NameTaken(f"there is a user {name!r} already; choose another name")
            session.add(
                UserRow(
                    name=name, role=role.value, password_hash=_HASHER.hash(password), created_ms=to_ms(now)
                )
            )
            session.commit()
        return password

    def reset_password(self, name: str) -> str | None:
        """A new password, which is not kept; ends every session of that user. None: no such user."""
        password = secrets.token_urlsafe(15)
        with Session(self._engine) as session:
            user = session.get(UserRow, name)
            if user is None:
                return None
            user.password_hash = _HASHER.hash(password)
            session.add(user)
            session.execute(delete(SessionRow).where(col(SessionRow.user_name) == name))
            session.commit()
        return password

    def remove_user(self, name: str) -> bool:
        with Session(self._engine) as session:
            session.execute(delete(SessionRow).where(col(SessionRow.user_name) == name))
            found = session.get(UserRow, name)
            if found:
                session.delete(found)
            session.commit()
        return found is not None

    def users(self) -> list[tuple[str, str]]:
        """Names and roles."""
        with Session(self._engine) as session:
            rows = session.exec(select(UserRow).order_by(col(UserRow.name)))
            return [(row.name, row.role) for row in rows]

    def tokens(self) -> list[tuple[str, str]]:
        """Names and roles."""
        with Session(self._engine) as session:
            rows = session.exec(select(TokenRow).order_by(col(TokenRow.name)))
            return [(row.name, row.role) for row in rows]

    def revoke_token(self, name: str) -> bool:
        with Session(self._engine) as session:
            found = session.get(TokenRow, name)
            if found:
                session.delete(found)
            session.commit()
        return found is not None

    def create_token(self, name: str, role: Role, now: datetime) -> str:
        """A new token; returns its secret, which is not kept."""
        secret = f"pbx_{secrets.token_urlsafe(32)}"
        with Session(self._engine) as session:
            if session.get(TokenRow, name):
                raise NameTaken(f"there is a token {name!r} already; choose another name")
            session.add(
                TokenRow(name=name, role=role.value, secret_hash=_digest(secret), created_ms=to_ms(now))
            )
            session.commit()
        return secret

    def by_token(self, secret: str) -> Principal | None:
        with Session(self._engine) as session:
            row = session.exec(select(TokenRow).where(TokenRow.secret_hash == _digest(secret))).first()
            return Principal(row.name, Role(row.role)) if row else None

    def check_password(self, name: str, password: str) -> Principal | None:
        """The user, if that is the password. Takes the same time for a name that nobody has."""
        with Session(self._engine) as session:
            user = session.get(UserRow, name)
        try:
            _HASHER.verify(user.password_hash if user else _NOBODY, password)
        except (VerificationError, InvalidHashError):
            return None
        return Principal(user.name, Role(user.role), by_session=True) if user else None

    def open_session(self, user: str, now: datetime) -> str:
        """Sign in; returns the cookie's secret. Sessions that ran out are swept on the way."""
        secret = secrets.token_urlsafe(32)
        with Session(self._engine) as session:
            session.execute(delete(SessionRow).where(col(SessionRow.expires_ms) <= to_ms(now)))
            session.add(
                SessionRow(
                    secret_hash=_digest(secret),
                    user_name=user,
                    created_ms=to_ms(now),
                    expires_ms=to_ms(now + SESSION_LASTS),
                )
            )
            session.commit()
        return secret

    def by_session(self, secret: str, now: datetime) -> Principal | None:
        with Session(self._engine) as session:
            row = session.get(SessionRow, _digest(secret))
            if row is None or row.expires_ms <= to_ms(now):
                return None
            user = session.get(UserRow, row.user_name)
            return Principal(user.name, Role(user.role), by_session=True) if user else None

    def close_session(self, secret: str) -> None:
        with Session(self._engine) as session:
            session.execute(delete(SessionRow).where(col(SessionRow.secret_hash) == _digest(secret)))
            session.commit()


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
