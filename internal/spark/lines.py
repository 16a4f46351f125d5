"""How lines of delimited files become typed rows: the same as internal/etl/lines.go and parse.go, held to it by a test.

    for line, raw, row, bad in Loader(config, name, day, sha256).rows(stream): …

row is a tuple of values, bad a (reason, column, text); one of them is None. Runs on Spark's executors, with nothing but Python.
"""

import codecs
import io
import math
import re
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

BLANKS = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
MAX_RAW = 64 << 10


class BadFile(Exception):
    """The file as a whole cannot be read."""


class Bad(Exception):
    """A line is refused: reason, text."""


def trim_end(line):
    if line.endswith(b"\n"):
        line = line[:-1]
    return line[:-1] if line.endswith(b"\r") else line


class Scanner:
    """Cuts a file into records: RFC 4180 with a chosen delimiter and quote. A bad quote does not swallow the lines behind it."""

    def __init__(self, stream, f):
        self.stream, self.delim, self.quote = stream, f["delimiter"].encode(), f["quote"].encode()
        self.comment, self.latin1, self.max = f["comment"].encode(), f["latin1"], f["max_field"]
        self.lines, self.taken, self.ended = [], 0, False

    def take(self, i):
        most = 64 * self.max
        while len(self.lines) <= i:
            if self.ended:
                return None
            line = self.stream.readline(most + (1 << 18))
            if len(line) > most and not line.endswith(b"\n"):  # the rest of it is thrown away; it will be refused
                line = line[:most] + b"\n"
                while True:
                    rest = self.stream.readline(1 << 20)
                    if not rest or rest.endswith(b"\n"):
                        break
            if not line.endswith(b"\n"):
                self.ended = True
            if not line:
                return None
            self.taken += 1
            self.lines.append(line)
        return self.lines[i]

    def __iter__(self):
        """(line, raw, fields, bad, torn) of each record."""
        while True:
            line = self.take(0)
            if line is None:
                return
            at = self.taken - len(self.lines) + 1
            if at == 1:
                if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise BadFile("the file begins like UTF-16: write it as utf-8 or latin-1")
                if line.startswith(codecs.BOM_UTF8):
                    line = self.lines[0] = line[3:]
            if not trim_end(line) or self.comment and line.startswith(self.comment):
                del self.lines[0]
                continue
            fields, bad, used = [], None, 1
            try:
                used = self.split(fields)
            except Bad as e:
                bad = e.args
            last = self.lines[used - 1]
            torn = self.ended and used == len(self.lines) and not last.endswith(b"\n")
            raw = trim_end(b"".join(self.lines[:used]))
            del self.lines[:used]
            yield at, raw, fields, bad, torn

    def split(self, fields):
        """Cuts the record that begins with the first waiting line; gives how many lines it has."""
        line, used = trim_end(self.lines[0]), 1
        while True:
            if not self.quote or line[:1] != self.quote:
                text, more, line = line.partition(self.delim)
                self.add(fields, text, False)
                if not more:
                    return used
                continue
            text, line = b"", line[1:]
            while True:
                end = line.find(self.quote)
                if end < 0:  # goes on in the next line
                    if len(text) + len(line) > self.max:
                        raise Bad("quote", "the quote of field %d is not closed within %d bytes" % (len(fields) + 1, self.max))
                    whole = self.lines[used - 1]
                    text += line + whole[len(trim_end(whole)):]
                    more = self.take(used)
                    if more is None:
                        raise Bad("quote", "the quote of field %d is not closed" % (len(fields) + 1))
                    used, line = used + 1, trim_end(more)
                    continue
                text, line = text + line[:end], line[end + 1:]
                if line[:1] == self.quote:  # a doubled quote is one
                    text, line = text + self.quote, line[1:]
                    continue
                break
            if line and line[:1] != self.delim:
                raise Bad("quote", "field %d goes on behind its closing quote" % (len(fields) + 1))
            self.add(fields, text, True)
            if not line:
                return used
            line = line[1:]

    def add(self, fields, text, quoted):
        n = len(fields) + 1
        if len(text) > self.max:
            raise Bad("size", "field %d has more than %d bytes" % (n, self.max))
        if b"\0" in text:
            raise Bad("encoding", "field %d holds a NUL byte" % n)
        try:
            fields.append((text.decode("latin-1" if self.latin1 else "utf-8"), quoted))
        except UnicodeDecodeError:
            raise Bad("encoding", "field %d is no UTF-8; is the file latin-1?" % n) from None


# values

SIGNS = {"": ("", "."), "1,234.56": (",", "."), "1.234,56": (".", ","), "1234,56": ("", ","), "1 234,56": (" ", ","), "1'234.56": ("'", ".")}
INTEGER = re.compile(r"[+-]?[0-9]+\Z")
FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\Z")
HEX = re.compile(r"[+-]?0[xX]([0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+\Z")
ODD = re.compile(r"([+-]?(inf|infinity)|nan)\Z", re.I)
FIXED = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?\Z")
MOMENT = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[ T]([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]+))?(Z|[+-][0-9]{2}:[0-9]{2})?)?\Z")


def parser(c):
    kind, form = c["type"], c.get("format", "")
    if kind == "string":
        return lambda s: s
    if kind == "boolean":
        return boolean
    if kind in ("date", "timestamp"):
        return moment(kind, form)
    group, point = SIGNS[form]
    number = {"int": integer(kind, 31), "bigint": integer(kind, 63), "double": double}.get(kind) or fixed(kind)

    def parse(s):
        s = s.strip(BLANKS)
        if group:
            s = s.replace(group, "")
        if point != ".":
            if "." in s:
                raise Bad("is no %s of the form %s" % (kind, form))
            s = s.replace(point, ".", 1)
        return number(s)

    return parse


def boolean(s):
    s = s.strip(BLANKS).lower()
    if s in ("true", "t", "1", "yes", "y"):
        return True
    if s in ("false", "f", "0", "no", "n"):
        return False
    raise Bad("is no boolean")


def integer(kind, bits):
    def parse(s):
        if not INTEGER.match(s):
            raise Bad("is no " + kind)
        v = int(s) if len(s) < 25 else int(s.lstrip("+-").lstrip("0")[:25] or "0") * (-1 if s[0] == "-" else 1)
        if not -(1 << bits) <= v < 1 << bits:
            raise Bad("does not fit into " + kind)
        return v

    return parse


def double(s):
    if ODD.match(s):
        return float(s)
    if HEX.match(s):
        try:
            return float.fromhex(s)
        except OverflowError:
            raise Bad("does not fit into double") from None
    if not FLOAT.match(s):
        raise Bad("is no double")
    v = float(s)
    if math.isinf(v):
        raise Bad("does not fit into double")
    return v


def fixed(kind):
    precision, scale = (int(n) for n in kind[len("decimal("):-1].split(","))
    short = "decimal(%d,%d)" % (precision, scale)

    def parse(s):
        m = FIXED.match(s)
        if not m or not (m[2] or m[3]):
            raise Bad("is no " + short)
        whole, part = m[2], m[3] or ""
        if len(part) > scale:
            if part[scale:].strip("0"):
                raise Bad("has more than %d digits behind the decimal sign" % scale)
            part = part[:scale]
        digits = (whole + part + "0" * (scale - len(part))).lstrip("0")
        if len(digits) > precision:
            raise Bad("does not fit into " + short)
        return Decimal((m[1] == "-" and digits != "", tuple(map(int, digits or "0")), -scale))

    return parse


def moment(kind, form):
    example = "2026-11-20" if kind == "date" else "2026-11-20 10:15:00"

    def plain(s):
        m = MOMENT.match(s)
        if not m or kind == "date" and m[4]:
            raise Bad("is no %s (expected %s)" % (kind, example))
        if m[1] == "0000":
            raise Bad("is a %s out of range" % kind)
        try:
            at = datetime(int(m[1]), int(m[2]), int(m[3]), int(m[4] or 0), int(m[5] or 0), int(m[6] or 0), int(((m[7] or "") + "000000")[:6]))
            zone = m[8]
            if zone and zone != "Z":
                hours, minutes = int(zone[1:3]), int(zone[4:6])
                if hours > 24 or minutes >= 60:
                    raise ValueError
                away = timedelta(hours=hours, minutes=minutes)
                return at - away if zone[0] == "+" else at + away
            return at
        except ValueError:
            raise Bad("is no %s (expected %s)" % (kind, example)) from None
        except OverflowError:
            raise Bad("is a %s out of range" % kind) from None

    def formed(s):
        try:
            at = datetime.strptime(s, form)
            again = at.strftime(form)
        except ValueError:
            raise Bad("is no %s of the form %s" % (kind, form)) from None
        if again != s and digits(again) != digits(s):
            raise Bad("is no %s of the form %s" % (kind, form))
        try:
            return at.astimezone(timezone.utc).replace(tzinfo=None) if at.tzinfo else at
        except OverflowError:
            raise Bad("is a %s out of range" % kind) from None

    read = formed if form else plain

    def parse(s):
        at = read(s.strip(BLANKS))
        return at.date() if kind == "date" else at

    return parse


def digits(s):
    """Its numbers without their noughts: a day may be written without one."""
    return [d for d in re.split("[^1-9]+", s) if d]


ESCAPES = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"'}


def quoted(s):
    """As Go's %q."""
    if len(s) > 40:
        s = s[:40] + "…"
    out = []
    for c in s:
        n = ord(c)
        if c in ESCAPES:
            out.append(ESCAPES[c])
        elif c.isprintable() and c not in BLANKS or c == " ":
            out.append(c)
        else:
            out.append("\\x%02x" % n if n < 0x80 else "\\u%04x" % n if n < 0x10000 else "\\U%08x" % n)
    return '"' + "".join(out) + '"'


class Loader:
    """Typed rows of one file."""

    def __init__(self, e, path):
        self.e, self.path, self.columns = e, path, e["columns"]
        self.parsers = [parser(c) for c in self.columns]
        self.at, self.fields = list(range(len(self.columns))), len(self.columns)

    def rows(self, stream):
        records = iter(Scanner(stream, self.e["format"]))
        if self.e["format"]["header"]:
            self.header(records)
        for line, raw, fields, bad, torn in records:
            row = None
            if bad:
                bad = (bad[0], None, bad[1])
            elif len(fields) != self.fields:
                why = "%d fields, expected %d" % (len(fields), self.fields)
                bad = ("columns", None, why + (": the file ends inside this line" if torn else ""))
            else:
                row, bad = self.row(fields)
            yield line, raw[:MAX_RAW], row, bad

    def header(self, records):
        first = next(records, None)
        if first is None:
            raise BadFile("%s: the file is empty: expected a header; an empty delivery is a header without lines, or set format.header: false" % self.path)
        line, _, fields, bad, _ = first
        if bad:
            raise BadFile("%s:%d: header: %s" % (self.path, line, bad[1]))
        known = [text.strip(BLANKS) for text, _ in fields]
        names = {k.lower(): i for i, k in enumerate(known)}
        for i, c in enumerate(self.columns):
            name = c.get("source") or c["name"]
            if name.lower() not in names:
                raise BadFile("%s:%d: the header has no column %s; it has %s" % (self.path, line, name, ", ".join(known)))
            self.at[i] = names[name.lower()]
        self.fields = len(fields)

    def row(self, fields):
        row, nulls = [], self.e["format"]["null"]
        for c, parse, at in zip(self.columns, self.parsers, self.at):
            text, in_quotes = fields[at]
            try:
                if not in_quotes and text in nulls:
                    if c.get("required"):
                        raise Bad("has no value, and is required")
                    row.append(None)
                else:
                    row.append(parse(text))
            except Bad as e:
                return None, ("value", c["name"], "%s %s: %s" % (c["name"], quoted(text), e.args[0]))
        return tuple(row), None
