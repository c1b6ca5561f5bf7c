"""Plain counts of what a stack has seen and done, to be read at any time."""

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    requests_received: int = 0
    requests_sent: int = 0
    responses_received: int = 0
    responses_sent: int = 0
    retransmissions_received: int = 0
    retransmissions_sent: int = 0
    unmatched_responses: int = 0
    parse_errors: int = 0
    refused_strangers: int = 0  # answered 401
    dropped_floods: int = 0  # a stranger's messages beyond its allowance, not answered
    dropped_banned: int = 0  # messages of banned addresses, not read
    dropped_scanners: int = 0
    failed_credentials: int = 0
    refused_overload: int = 0  # answered 503
    sessions_started: int = 0
    sessions_ended: int = 0
