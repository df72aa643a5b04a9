"""Key rings of both kinds, without a database."""

from pathlib import Path

import pytest

from loyalty.vault.keyfile import KeyRing, create_keys, read_keys


@pytest.fixture(params=("AES-256-GCM", "SM4-GCM"))
def algorithm(request: pytest.FixtureRequest) -> str:
    """The algorithm of an installation: each test runs with both."""
    return str(request.param)


@pytest.fixture
def ring(tmp_path: Path, algorithm: str) -> KeyRing:
    """The keys of an installation."""
    return new_ring(tmp_path / "ring", algorithm)


def new_ring(folder: Path, algorithm: str = "AES-256-GCM") -> KeyRing:
    """Make and read a key file in `folder`."""
    create_keys(folder, algorithm)
    return read_keys(folder)
