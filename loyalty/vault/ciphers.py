"""Authenticated encryption under an algorithm named by a number, so that a bank may choose.

The number stands in every ciphertext: a later installation can change its mind and still read
what was written before.
"""

import secrets
from enum import IntEnum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
TAG_BYTES = 16


class Unreadable(Exception):
    """The bytes are not what this key sealed at this place: moved, changed or cut."""


class Algorithm(IntEnum):
    """The numbers written into ciphertexts; a number is never given to another algorithm."""

    AES_256_GCM = 1
    SM4_GCM = 2

    @property
    def key_bytes(self) -> int:
        """The length of a key of this algorithm."""
        return 32 if self is Algorithm.AES_256_GCM else 16

    @property
    def label(self) -> str:
        """The name under which key files and settings know this algorithm."""
        return self.name.replace("_", "-")


def algorithm(label: str) -> Algorithm:
    """Return the algorithm called `label` (`AES-256-GCM`, `SM4-GCM`).

    Raises `ValueError` on any other name.
    """
    for known in Algorithm:
        if known.label == label:
            return known
    raise ValueError(
        f"unknown algorithm {label!r}; choose one of {', '.join(a.label for a in Algorithm)}"
    )


def new_key(kind: Algorithm) -> bytes:
    """Return a fresh random key for `kind`."""
    return secrets.token_bytes(kind.key_bytes)


def encrypt(kind: Algorithm, key: bytes, plain: bytes, bound_to: bytes) -> bytes:
    """Return nonce, ciphertext and tag; they open only together with the same `bound_to`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    if kind is Algorithm.AES_256_GCM:
        return nonce + AESGCM(key).encrypt(nonce, plain, bound_to)
    sealer = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
    sealer.authenticate_additional_data(bound_to)
    return nonce + sealer.update(plain) + sealer.finalize() + sealer.tag


def decrypt(kind: Algorithm, key: bytes, sealed: bytes, bound_to: bytes) -> bytes:
    """Return what `encrypt` was given. Raises `Unreadable` when anything at all differs."""
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise Unreadable("too short to be a sealed value")
    nonce, rest = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    try:
        if kind is Algorithm.AES_256_GCM:
            return AESGCM(key).decrypt(nonce, rest, bound_to)
        text, tag = rest[:-TAG_BYTES], rest[-TAG_BYTES:]
        opener = Cipher(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
        opener.authenticate_additional_data(bound_to)
        return opener.update(text) + opener.finalize()
    except InvalidTag:
        raise Unreadable("the value was moved, changed or sealed by another key") from None


def bind(*parts: str | int) -> bytes:
    """Return the parts as associated data: each led by its length, so no two lists look alike."""
    bound = b""
    for part in parts:
        text = str(part).encode()
        bound += len(text).to_bytes(4, "big") + text
    return bound
