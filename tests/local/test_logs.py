"""Logs stay short, and what somebody should see in them is shown once."""

from pathlib import Path

from loyalty.local.logs import Reader, shorten


def test_a_long_log_starts_anew_and_the_last_one_stays_beside_it(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"first\n" * 100)
        writer.flush()
        shorten(log, limit=100)
        writer.write(b"second\n")
    assert log.read_bytes() == b"second\n"
    assert log.with_name("web.log.1").read_bytes() == b"first\n" * 100


def test_a_short_log_is_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    shorten(log)
    log.write_text("first\n")
    shorten(log)
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]


def test_errors_are_shown_once_and_all_else_never(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("ERROR of an earlier run\n")
    reader = Reader(log)
    with log.open("a") as writer:
        writer.write('{"level": "info", "event": "fine"}\n{"level": "error", "event": "bad"}\nERR')
        writer.flush()
        assert reader.alarming_lines() == ['{"level": "error", "event": "bad"}']
        writer.write("OR and its end\n")
        writer.flush()
        assert reader.alarming_lines() == ["ERROR and its end"]
        assert reader.alarming_lines() == []


def test_errors_are_shown_after_a_log_started_anew(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("fine\n" * 100)
    reader = Reader(log)
    shorten(log, limit=100)
    with log.open("a") as writer:
        writer.write("ERROR again\n")
    assert reader.alarming_lines() == ["ERROR again"]
