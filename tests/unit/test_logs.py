"""What may be logged."""

import io
import logging

import pytest

from orchestrator import logs


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def logger(stream: io.StringIO) -> logging.Logger:
    redact = logs.Redact(["s3cr3t-key"])
    handler = logging.StreamHandler(stream)
    handler.addFilter(redact)
    handler.setFormatter(logs._Formatter(redact))
    logger = logging.Logger("test")  # noqa: LOG001 - not the process's own
    logger.addHandler(handler)
    return logger


def test_a_known_secret_is_struck_out(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.warning("the cloud said: bad key %s", "s3cr3t-key")

    assert "s3cr3t-key" not in stream.getvalue()
    assert "bad key ***" in stream.getvalue()


def test_a_secret_in_a_traceback_is_struck_out(logger: logging.Logger, stream: io.StringIO) -> None:
    try:
        int("s3cr3t-key")
    except ValueError:
        logger.exception("failed")

    assert "Traceback" in stream.getvalue()
    assert "s3cr3t-key" not in stream.getvalue()


def test_what_a_machine_says_cannot_move_the_cursor(logger: logging.Logger, stream: io.StringIO) -> None:
    logger.warning("machine says %s", "\x1b[2Jhello\r")

    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\x85", "\u2028", "\x0b"])
def test_what_a_machine_says_cannot_look_like_a_line_of_ours(
    logger: logging.Logger, stream: io.StringIO, end: str
) -> None:
    logger.warning("machine says %s", f"hello{end}12:00:00 ERROR   orchestrator: all money is gone\u202etxt.exe")

    assert len(stream.getvalue().splitlines()) == 1
    assert "\u202e" not in stream.getvalue()


def test_ids_of_the_context_are_on_each_line(logger: logging.Logger, stream: io.StringIO) -> None:
    with logs.bound(job="j1", cloud="vast"):
        logger.info("inside")
    logger.info("outside")

    inside, outside = stream.getvalue().splitlines()
    assert "cloud=vast job=j1" in inside
    assert "job=" not in outside
