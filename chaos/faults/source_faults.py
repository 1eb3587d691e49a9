"""How a server misbehaves while a file is fetched from it: a plan for each case, drawn by a seeded generator."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from chaos.faults.file_server import Answer, End, Fault, Plan, Request, ServedFile

_WEB_PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n"
_STATUSES = (
    *("400 Bad Request", "401 Unauthorized", "403 Forbidden", "404 Not Found", "408 Request Timeout", "410 Gone"),
    *("416 Range Not Satisfiable", "418 I'm a teapot", "425 Too Early", "429 Too Many Requests", "451 Unavailable"),
    *("500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout", "599 Unknown"),
    *("204 No Content", "205 Reset Content", "206 Partial Content", "300 Multiple Choices", "304 Not Modified"),
    *("301 Moved Permanently", "100 Continue", "999 Denied", "201 Created", "203 Non-Authoritative Information"),
)
_GZIP = b"\x1f\x8b"
_BETWEEN_MEMBERS = "cut between gzip members"
_RETRY_AFTER = ("0", "1", "99999", "Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-5", "1e9", "")


def source_fault(file: ServedFile, other: ServedFile, choice: random.Random) -> tuple[str, Plan]:
    """A kind of fault, and the plan of a server that has it.

    Args:
        file: What the server has.
        other: Another version of the file, which may take its place meanwhile.
        choice: The random generator.
    """
    kinds = [kind for kind in _PLANS if kind != _BETWEEN_MEMBERS or file.body.startswith(_GZIP)]
    kind = choice.choice(kinds)
    plan = _PLANS[kind](file, other, choice)
    return kind, plan


def _plan(file: ServedFile, choice: random.Random, fault: Fault, **more: Any) -> Plan:
    """A plan whose GETs have the fault, a few times or for ever."""
    return Plan(file, fault, honest_after=choice.choice((1, 1, 2, 3, None)), **more)


def _place(file: ServedFile, choice: random.Random) -> int:
    return choice.choice((0, 1, len(file.body) // 2, len(file.body) - 1, choice.randrange(len(file.body))))


def _breaks_off(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    place = _place(file, choice)
    end: End = choice.choice(("close", "reset"))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer, cut_after=place, end=end)

    return _plan(file, choice, fault, serves_ranges=choice.random() < 0.7)


def _stalls(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    place = _place(file, choice)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer, cut_after=place, end="stall")

    return Plan(file, fault, honest_after=choice.choice((1, 1, None)))


def _says_nothing(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    end: End = choice.choice(("close", "reset", "stall"))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return Answer(raw=b"", end=end)

    head = choice.random() < 0.3
    return Plan(file, fault, fault if head else None, honest_after=choice.choice((1, 2, None)))


def _states_no_length(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Whole, but the end of the connection is the only end of the file."""

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer.with_header("Content-Length", None), end="close")

    has_head = choice.random() < 0.5
    return Plan(file, fault, None if has_head else _without_length)


def _without_length(answer: Answer, request: Request, file: ServedFile) -> Answer:
    return answer.with_header("Content-Length", None)


def _cut_without_length(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Cut anywhere, where only the length that HEAD states, or the format, can tell."""
    place = choice.randrange(len(file.body))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer.with_header("Content-Length", None), cut_after=place, end="close")

    has_head = choice.random() < 0.5
    return _plan(file, choice, fault, head=None if has_head else _without_length)


def _cut_between_members(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """A file of two gzip members, cut between them, so that what arrives is a whole gzip file."""
    content = gzip.decompress(file.body)
    place = content.index(b"\n", len(content) // 2) + 1
    first = gzip.compress(content[:place], 1, mtime=0)
    file = replace(file, body=first + gzip.compress(content[place:], 1, mtime=0))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if answer.status.startswith("206"):
            return replace(answer, cut_after=0, end="close")
        return replace(answer.with_header("Content-Length", None), cut_after=len(first), end="close")

    return _plan(file, choice, fault)


def _states_another_length(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    size = len(file.body)
    said = choice.choice((size + 1, size - 1, size * 2, 0, 1, 10**15, -1, size + 1000))
    text = choice.choice((str(said), str(said), f"{said}, {said}", "many", "", f"+{size}", f"{size}.0", f"0x{size:x}"))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer.with_header("Content-Length", text), end=choice.choice(("close", "stall")))

    where = choice.choice(("get", "head", "both"))
    return Plan(
        file,
        fault if where != "head" else None,
        fault if where != "get" else None,
        honest_after=choice.choice((1, 2, None)),
    )


def _more_than_announced(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Goes on after the announced end."""
    more = choice.choice((1, 100, 5_000_000))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        said = answer.header("Content-Length") if choice.random() < 0.5 else None
        body = answer.body + bytes(more)
        return replace(answer.with_header("Content-Length", said), body=body, end="close")

    return _plan(file, choice, fault)


def _other_bytes_in_the_rest(file: ServedFile, other: ServedFile, choice: random.Random) -> Plan:
    """Breaks off, and continues with the right range and other bytes, as many as announced, more or fewer."""
    place = choice.randrange(1, len(file.body))
    extra = choice.choice((-10, 0, 0, 10, 100_000))
    keeps_on = choice.random() < 0.5

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if not answer.status.startswith("206"):
            return replace(answer, cut_after=place, end="close")
        wrong = bytes(byte ^ 0x55 for byte in answer.body)
        body = wrong[: max(len(wrong) + extra, 0)] + bytes(max(extra, 0))
        return replace(answer.with_header("Content-Length", str(len(body))), body=body, end="close")

    return Plan(file, fault, honest_after=None if keeps_on else 3)


def _endless_rest(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Breaks off, and continues wherever it is asked to, with as many bytes as it likes."""
    place, size = choice.randrange(1, len(file.body)), len(file.body)
    piece = choice.choice((1, 50, 100_000))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        start = request.headers.get("range", "").removeprefix("bytes=").rstrip("-")
        if not start.isdecimal():
            return replace(answer, cut_after=place, end="close")
        part = ("Content-Range", f"bytes {start}-{max(size - 1, int(start))}/{size}")
        headers = (("ETag", file.etag), ("Last-Modified", file.last_modified), part)
        return Answer("206 Partial Content", headers, choice.randbytes(piece), end="close")

    return Plan(file, fault, honest_after=choice.choice((None, None, 5)))


def _other_range(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Breaks off, and says something else about the range of the rest."""
    place, size = choice.randrange(1, len(file.body)), len(file.body)
    texts = (
        f"bytes 0-{size - 1}/{size}",
        f"bytes {place + 1}-{size - 1}/{size}",
        "bytes */*",
        "",
        f"bytes {place}-{size - 1}/*",
    )
    text = choice.choice(
        (*texts, f"bytes {place}-{size - 1}/{size + 1}", f"lines {place}-{size}/{size}", f"bytes {place}-5/3")
    )
    is_whole = choice.random() < 0.3

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if not answer.status.startswith("206"):
            return replace(answer, cut_after=place, end="close")
        if is_whole:
            answer = replace(answer.with_header("Content-Length", str(size)), body=file.body)
        return answer.with_header("Content-Range", text or None)

    return Plan(file, fault, honest_after=choice.choice((2, 3, None)))


def _always_416(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    place = _place(file, choice)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if "range" in request.headers:
            return Answer("416 Range Not Satisfiable", (("Content-Range", "bytes */0"), ("Content-Length", "0")))
        return replace(answer, cut_after=place, end="close")

    return Plan(file, fault, honest_after=choice.choice((2, 4, None)))


def _partial_unasked(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Answers a GET for the whole with a part."""
    size = len(file.body)
    start = choice.choice((0, 0, 10))
    end = choice.choice((size - 1, size // 2))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        part = (("Content-Range", f"bytes {start}-{end}/{size}"), ("Content-Length", str(end + 1 - start)))
        return Answer("206 Partial Content", (("ETag", file.etag), *part), file.body[start : end + 1])

    return _plan(file, choice, fault)


def _etag(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """ETags that are weak, missing, changing, unquoted or very long."""
    trick = choice.choice(("weak", "missing", "changing", "unquoted", "long", "empty", "letters"))
    place = choice.choice((None, _place(file, choice)))

    def tagged(answer: Answer, request: Request, file: ServedFile) -> Answer:
        tags = {
            "weak": f"W/{file.etag}",
            "changing": f'"{random.random()}"',
            "unquoted": file.etag.strip('"'),
            "long": f'"{"x" * 5000}"',
            "empty": '""',
            "letters": '"é\u00ff"',
        }
        answer = answer.with_header("ETag", tags.get(trick))
        return answer if trick != "missing" else answer.with_header("Last-Modified", None)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        answer = tagged(answer, request, file)
        return answer if place is None else replace(answer, cut_after=place, end="close")

    return Plan(file, fault, tagged, honest_after=choice.choice((1, 2)))


def _changes(file: ServedFile, other: ServedFile, choice: random.Random) -> Plan:
    """Another version takes the file's place between two requests."""
    place = _place(file, choice)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer, cut_after=place, end="close")

    breaks = choice.random() < 0.7
    plan = Plan(file, fault if breaks else None, later=(choice.randint(1, 3), other), honest_after=1)
    if choice.random() < 0.3:
        plan.get = _forgetting(place, file)
    return plan


def _forgetting(place: int, first: ServedFile) -> Fault:
    """Breaks off, and continues the new version as if it were the old one, though it says which it is."""

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        start = request.headers.get("range", "").removeprefix("bytes=").rstrip("-")
        if file is first or not start.isdecimal() or int(start) >= len(file.body):
            return replace(answer, cut_after=place, end="close")
        size = len(file.body)
        part = (("Content-Range", f"bytes {start}-{size - 1}/{size}"), ("Content-Length", str(size - int(start))))
        return Answer("206 Partial Content", (("ETag", file.etag), *part), file.body[int(start) :])

    return fault


def _other_content(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Something else, with a good status."""
    body = choice.choice(
        (_WEB_PAGE, _WEB_PAGE * 50, b"", b'{"error": "quota"}', b"\0" * 1000, file.body[::-1], b"PAR1", b"\x1f\x8b")
    )
    type_ = choice.choice(("text/html", "application/gzip", "application/json"))
    keeps_etag = choice.random() < 0.5

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        tag = (("ETag", file.etag),) if keeps_etag else ()
        return Answer("200 OK", (*tag, ("Content-Type", type_), ("Content-Length", str(len(body)))), body)

    return _plan(file, choice, fault, head=fault if choice.random() < 0.4 else None)


def _status(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    status = choice.choice(_STATUSES)
    retry = choice.choice(_RETRY_AFTER)
    body = choice.choice((b"", _WEB_PAGE))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        headers = [("Content-Length", str(len(body)))]
        if choice.random() < 0.5:
            headers.append(("Retry-After", retry))
        return Answer(status, tuple(headers), body, end="close" if status.startswith(("1", "204", "304")) else "keep")

    where = choice.choice(("get", "head", "both"))
    return Plan(
        file,
        fault if where != "head" else None,
        fault if where != "get" else None,
        honest_after=choice.choice((1, 2, None)),
    )


def _redirects(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    targets = (
        "/again",
        "",
        "http://127.0.0.1:1/x",
        "ftp://host/x",
        "http://[bad/",
        "//",
        "/%00",
        "file:///etc/passwd",
        "/deep",
    )
    target = choice.choice(targets)
    is_once = target == "/deep"

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if is_once and request.path.endswith("/deep"):
            return answer
        return Answer(
            choice.choice(("301 Moved", "302 Found", "307 Moved", "308 Moved")),
            (("Location", target), ("Content-Length", "0")),
        )

    where = choice.choice(("get", "both"))
    return Plan(file, fault, fault if where == "both" else None, honest_after=choice.choice((2, None)))


def _broken_http(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """What is no HTTP, or not quite."""
    head = f"HTTP/1.1 200 OK\r\nETag: {file.etag}\r\n".encode()
    raws = (
        *(
            b"garbage\r\n\r\n",
            b"\0" * 100,
            b"HTTP/1.1\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n",
            file.body,
        ),
        *(head + b"no colon here\r\n\r\n" + file.body, head + b"X: " + b"y" * 200_000 + b"\r\n\r\n" + file.body),
        head + b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n" + file.body,
        head + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n" + file.body,
        head + b"Content-Encoding: br\r\nContent-Length: " + str(len(file.body)).encode() + b"\r\n\r\n" + file.body,
        head + b"Transfer-Encoding: gzip\r\n\r\n" + file.body,
    )
    raw = choice.choice(raws)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return Answer(raw=raw, end="close")

    return _plan(file, choice, fault, head=fault if choice.random() < 0.2 else None)


def _chunked(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """In chunks, whole or cut."""
    place = choice.choice((None, None, choice.randrange(len(file.body))))

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        answer = answer.with_header("Content-Length", None).with_header("Transfer-Encoding", "chunked")
        return replace(answer, is_chunked=True, cut_after=place, end="keep" if place is None else "close")

    return _plan(file, choice, fault)


def _compressed_on_the_way(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Packs the file once more for the transfer, though nobody asked for it."""
    packed = gzip.compress(file.body, mtime=0)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        if not answer.status.startswith("200"):
            return answer
        headers = (
            ("ETag", f'"gzip-{file.version}"'),
            ("Content-Encoding", "gzip"),
            ("Content-Length", str(len(packed))),
        )
        return Answer("200 OK", headers, packed)

    return _plan(file, choice, fault, head=fault)


def _flipped_bits(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """A bit turned over on the way; only what the file or the server says of its content can tell."""
    place, bit = choice.randrange(len(file.body)), 1 << choice.randrange(8)
    file = replace(file, has_md5=True)

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        bent = bytearray(answer.body)
        if place < len(bent):
            bent[place] ^= bit
        return replace(answer, body=bytes(bent))

    return _plan(file, choice, fault)


def _drips(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer, drips=True)

    return _plan(file, choice, fault)


def _endless(file: ServedFile, _: ServedFile, choice: random.Random) -> Plan:
    """Far more than the file, without a length."""
    piece = choice.choice((b"\0", file.body, b"a"))
    body = (piece * (20_000_000 // len(piece) + 1))[:20_000_000]

    def fault(answer: Answer, request: Request, file: ServedFile) -> Answer:
        return replace(answer.with_header("Content-Length", None), body=body, end="close")

    return _plan(file, choice, fault)


_PLANS: dict[str, Callable[[ServedFile, ServedFile, random.Random], Plan]] = {
    "breaks off": _breaks_off,
    "stalls": _stalls,
    "says nothing": _says_nothing,
    "states no length": _states_no_length,
    "cut without a length": _cut_without_length,
    _BETWEEN_MEMBERS: _cut_between_members,
    "states another length": _states_another_length,
    "sends more than announced": _more_than_announced,
    "continues with other bytes": _other_bytes_in_the_rest,
    "continues without end": _endless_rest,
    "states another range": _other_range,
    "can't continue (416)": _always_416,
    "a part unasked (206)": _partial_unasked,
    "odd ETags": _etag,
    "changes meanwhile": _changes,
    "something else": _other_content,
    "another status": _status,
    "redirects": _redirects,
    "broken HTTP": _broken_http,
    "in chunks": _chunked,
    "packed on the way": _compressed_on_the_way,
    "bits flipped on the way": _flipped_bits,
    "drips": _drips,
    "without end": _endless,
}
