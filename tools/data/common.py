"""Shared helpers of the table builders: exact decimals, dates, units, CSV in and out."""

import csv
import os
import re
from decimal import Decimal

GIB = 1 << 30
MIB = 1 << 20


def read_csv(folder, *parts):
    """Rows of one source table as dictionaries; every cell stays the text that was published."""
    with open(os.path.join(folder, *parts), newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def write_csv(out, name, columns, rows):
    """Writes one table; a row that holds a column nobody declared is a mistake, not extra data."""
    path = os.path.join(out, name)
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, columns, extrasaction="raise", lineterminator="\n")
        writer.writeheader()
        writer.writerows({column: "" for column in columns} | row for row in rows)
    print(f"{name}: {len(rows)} rows, {os.path.getsize(path)} bytes")


def plain(value):
    """Exact decimal text without exponent and without trailing zeros ('' stays '')."""
    if value in ("", None):
        return ""
    number = value if isinstance(value, Decimal) else Decimal(value)
    if number == 0:
        return "0"
    return format(number.normalize(), "f")


def scaled(value, factor):
    """value x factor as exact decimal text ('' stays ''): TFLOP/s to FLOP/s, GB/s to B/s."""
    if value in ("", None):
        return ""
    return plain(Decimal(value) * Decimal(factor))


def days_of_month(year, month):
    if month == 2:
        return 29 if (year % 4 == 0 and year % 100 != 0) or year % 400 == 0 else 28
    return 30 if month in (4, 6, 9, 11) else 31


def date_interval(text):
    """('2026-04..2026-08(bounded)', '<=2026-03-22', '2026-06-18', '2026-08') to (earliest, latest).

    A month becomes its first and last day, '<=' leaves the earliest open: no day is invented."""
    text = text.strip()
    if not text:
        return "", ""
    text = re.sub(r"\(.*?\)", "", text).strip()
    if text.startswith("<="):
        return "", text[2:].strip()

    def bounds(part):
        fields = [int(x) for x in part.split("-")]
        if len(fields) == 1:
            return f"{fields[0]:04d}-01-01", f"{fields[0]:04d}-12-31"
        if len(fields) == 2:
            last = days_of_month(fields[0], fields[1])
            return (f"{fields[0]:04d}-{fields[1]:02d}-01",
                    f"{fields[0]:04d}-{fields[1]:02d}-{last:02d}")
        return part, part

    if ".." in text:
        first, last = text.split("..")
        return bounds(first.strip())[0], bounds(last.strip())[1]
    return bounds(text)


def normal_alias(text):
    """The look-up form of a name: case-folded, '_' and blanks as '-', no leading 'nvidia-'."""
    text = re.sub(r"[\s_]+", "-", text.strip().casefold())
    text = re.sub(r"-+", "-", text)
    return text.removeprefix("nvidia-")
