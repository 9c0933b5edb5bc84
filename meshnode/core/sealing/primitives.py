"""The real primitives behind `ports.Sealer`, and Argon2id for what a person types.

Ed25519 comes from libsodium, because it refuses what protocol rule 4.1 refuses: S above the order, and keys of small
order, for which one signature would fit every message. The rest comes from OpenSSL.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import shake_256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV, ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from nacl.bindings import (
    crypto_scalarmult,
    crypto_scalarmult_base,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
    randombytes,
)
from nacl.exceptions import CryptoError

from meshnode.errors import WireError

KEY_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
SIGNATURE_SIZE = 64
HPKE_OVERHEAD = 1136  # X-Wing ciphertext 1,120 and a tag
PREKEY_SIZE = 1216  # X-Wing public key: ML-KEM-768 1,184, X25519 32
ZERO_NONCE = bytes(NONCE_SIZE)  # for keys that seal once
NO_PREKEY = "a prekey is not a valid key"

_KEM_PUBLIC = 1184
_ARGON_MEMORY_KIB = 64 * 1024
_ARGON_PASSES = 3
_SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


class RealSealer:
    """`ports.Sealer` as the daemon uses it. Ciphers are not cached: one costs 2 us, and used keys must not linger."""

    def aead_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """AES-256-GCM-SIV."""
        return AESGCMSIV(key).encrypt(nonce, plaintext, ad)

    def aead_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """The plaintext, or None."""
        if len(ciphertext) < TAG_SIZE:
            return None
        try:
            return AESGCMSIV(key).decrypt(nonce, ciphertext, ad)
        except InvalidTag:
            return None

    def stream_seal(self, key: bytes, nonce: bytes, plaintext: bytes, ad: bytes) -> bytes:
        """ChaCha20-Poly1305."""
        return ChaCha20Poly1305(key).encrypt(nonce, plaintext, ad)

    def stream_open(self, key: bytes, nonce: bytes, ciphertext: bytes, ad: bytes) -> bytes | None:
        """The plaintext, or None."""
        try:
            return ChaCha20Poly1305(key).decrypt(nonce, ciphertext, ad)
        except InvalidTag:
            return None

    def hpke_seal(self, public: bytes, info: bytes, plaintext: bytes) -> bytes:
        """HPKE base mode, single shot; WireError for a public key that is none."""
        try:
            return _SUITE.encrypt(plaintext, _xwing_public(public), info)
        except ValueError:
            raise WireError(NO_PREKEY) from None

    def hpke_open(self, secret: bytes, info: bytes, ciphertext: bytes) -> bytes | None:
        """The plaintext, or None."""
        if len(ciphertext) < HPKE_OVERHEAD:
            return None
        try:
            return _SUITE.decrypt(ciphertext, _xwing_secret(secret)[0], info)
        except (InvalidTag, ValueError):
            return None

    def new_prekey(self) -> tuple[bytes, bytes]:
        """A 32 B seed and its X-Wing public key."""
        seed = randombytes(KEY_SIZE)
        return seed, _xwing_secret(seed)[1]

    def sign(self, secret: bytes, message: bytes) -> bytes:
        """Ed25519, deterministic."""
        return crypto_sign(message, _signing_key(secret)[1])[:SIGNATURE_SIZE]

    def verify(self, public: bytes, message: bytes, signature: bytes) -> bool:
        """Strict Ed25519."""
        if len(public) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
            return False
        try:
            crypto_sign_open(signature + message, public)
        except CryptoError:
            return False
        return True

    def signing_public(self, secret: bytes) -> bytes:
        """The Ed25519 public key of a seed."""
        return _signing_key(secret)[0]

    def agreeing_public(self, secret: bytes) -> bytes:
        """The X25519 public key of a secret."""
        return crypto_scalarmult_base(secret)

    def agree(self, secret: bytes, public: bytes) -> bytes | None:
        """X25519; None for a key of wrong length or small order."""
        if len(public) != KEY_SIZE:
            return None
        try:
            return crypto_scalarmult(secret, public)
        except CryptoError:
            return None


def stretch(passphrase: str, salt: bytes) -> bytes:
    """A key from what a person types: Argon2id, 64 MiB, three passes (protocol rule 2.1)."""
    kdf = Argon2id(salt=salt, length=KEY_SIZE, iterations=_ARGON_PASSES, lanes=1, memory_cost=_ARGON_MEMORY_KIB)
    return kdf.derive(passphrase.encode())


@lru_cache(maxsize=8)  # a home signs with three keys; expanding one costs as much as signing
def _signing_key(seed: bytes) -> tuple[bytes, bytes]:
    public, secret = crypto_sign_seed_keypair(seed)
    return public, secret


def _xwing_secret(seed: bytes) -> tuple[MLKEM768X25519PrivateKey, bytes]:
    """X-Wing key pair of a seed: SHAKE-256 gives the ML-KEM seed (64) and the X25519 secret (32)."""
    expanded = shake_256(seed).digest(96)
    kem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
    curve = X25519PrivateKey.from_private_bytes(expanded[64:])
    public = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    return MLKEM768X25519PrivateKey(kem, curve), public


def _xwing_public(public: bytes) -> MLKEM768X25519PublicKey:
    kem = MLKEM768PublicKey.from_public_bytes(public[:_KEM_PUBLIC])
    return MLKEM768X25519PublicKey(kem, X25519PublicKey.from_public_bytes(public[_KEM_PUBLIC:]))
