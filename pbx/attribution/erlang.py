"""How many numbers a pool needs (Erlang B).

A pool lends one number to each visitor and turns away who finds none: a loss system of *N* servers. With
visitors who arrive at random at λ a second and each keep a number for *h* seconds (the visit and the
hold after it), the load offered is *A* = λ·h erlangs, and the share turned away is

    B(N, A) = (Aᴺ/N!) / Σ Aᵏ/k!

computed by the recursion B(0) = 1, B(n) = A·B(n−1) / (n + A·B(n−1)), which neither overflows nor loses
digits. The share depends on the mean of *h* alone, whatever its distribution.
"""


def blocking(numbers: int, erlangs: float) -> float:
    """B(N, A): the share of visitors who find no number left."""
    share = 1.0
    for n in range(1, numbers + 1):
        share = erlangs * share / (n + erlangs * share)
    return share


def numbers_for(erlangs: float, share: float) -> int:
    """The fewest numbers with which at most ``share`` of the visitors find none."""
    if not 0 < share < 1:
        raise ValueError(f"a share lies between 0 and 1, not {share}")
    blocked, numbers = 1.0, 0
    while blocked > share:
        numbers += 1
        blocked = erlangs * blocked / (numbers + erlangs * blocked)
    return numbers
