"""Readable: numbers as people write them."""

LONGEST = 1e7  # from here on an exponent is easier to read


def readable(value: float, digits: int) -> str:
    """`digits` significant digits, and no exponent where the number is merely large: '1e+02' is 100, 65535 keeps its digits."""
    is_large = 10**digits - 0.5 <= abs(value) < LONGEST
    return f"{value:.0f}" if is_large else f"{value:.{digits}g}"
