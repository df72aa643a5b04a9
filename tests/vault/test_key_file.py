"""The key file is made once, read by its owner alone, and says what is wrong with it."""

import json
import stat
from pathlib import Path

import pytest

from loyalty.vault.keyfile import (
    FILE,
    PUBLIC_FILE,
    BadKeys,
    add_wrapping_key,
    create_keys,
    drop_wrapping_key,
    read_keys,
)
from tests.vault.conftest import new_ring


def test_the_key_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = create_keys(tmp_path / "keys")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_key_file_is_never_overwritten(tmp_path: Path) -> None:
    path = create_keys(tmp_path)
    before = path.read_bytes()
    with pytest.raises(BadKeys, match="never overwritten"):
        create_keys(tmp_path)
    assert path.read_bytes() == before


def test_the_public_half_beside_it_fits(tmp_path: Path) -> None:
    ring = new_ring(tmp_path)
    assert (tmp_path / PUBLIC_FILE).read_text().strip() == ring.public_key.hex()


def test_a_missing_key_file_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(BadKeys, match="loyalty keys create"):
        read_keys(tmp_path)


@pytest.mark.parametrize("mode", (0o644, 0o640, 0o604, 0o660))
def test_a_key_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    create_keys(tmp_path).chmod(mode)
    with pytest.raises(BadKeys, match="chmod 600"):
        read_keys(tmp_path)


@pytest.mark.parametrize(
    "content",
    (b"", b"{", b"[]", b"{}", b'{"format": 2}', b'{"format": 1}', b"\xff\xfe"),
)
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    create_keys(tmp_path).write_bytes(content)
    with pytest.raises(BadKeys):
        read_keys(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    (
        ("current", 9),
        ("index", "c2hvcnQ="),
        ("index", "not base64!"),
        ("hash", "md5"),
        ("wrapping", {"1": {"algorithm": "AES-256-GCM", "key": "c2hvcnQ="}}),
        ("wrapping", {"1": {"algorithm": "ROT13", "key": "c2hvcnQ="}}),
    ),
)
def test_a_key_file_that_makes_no_sense_is_refused(
    tmp_path: Path, name: str, value: object
) -> None:
    path = create_keys(tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(BadKeys, match="damaged"):
        read_keys(tmp_path)


def test_an_added_wrapping_key_is_current_at_once_and_the_old_one_stays(tmp_path: Path) -> None:
    before = new_ring(tmp_path)
    assert add_wrapping_key(tmp_path) == 2
    after = read_keys(tmp_path)
    assert (after.current, set(after.versions)) == (2, {1, 2})
    assert after.versions[1] == before.versions[1]
    assert after.organisation == before.organisation
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_an_added_wrapping_key_may_change_the_algorithm(tmp_path: Path) -> None:
    new_ring(tmp_path, "AES-256-GCM")
    add_wrapping_key(tmp_path, "SM4-GCM")
    assert read_keys(tmp_path).newest.algorithm.label == "SM4-GCM"


def test_the_current_wrapping_key_is_not_dropped(tmp_path: Path) -> None:
    create_keys(tmp_path)
    with pytest.raises(BadKeys):
        drop_wrapping_key(tmp_path, 1)


def test_an_unknown_algorithm_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="AES-256-GCM"):
        create_keys(tmp_path, "DES")
    assert not (tmp_path / FILE).exists()
