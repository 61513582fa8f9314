"""The form in which PostgreSQL stores passwords. Computed here, so that no statement or log has the password."""

import base64
import hashlib
import hmac
import secrets
import stringprep
import unicodedata

_ITERATIONS = 4096
_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def verifier(password: str, salt: bytes | None = None, iterations: int = _ITERATIONS) -> str:
    """Return the SCRAM-SHA-256 verifier of a password; ALTER ROLE takes it in place of the password (RFC 5803).

    `salt` is random unless a test gives it.
    """
    salt = secrets.token_bytes(16) if salt is None else salt
    salted = hashlib.pbkdf2_hmac("sha256", _prepared(password).encode(), salt, iterations)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server_key = _hmac(salted, b"Server Key")
    return f"SCRAM-SHA-256${iterations}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _prepared(password: str) -> str:
    """Return a password normalised by SASLprep (RFC 4013), or unchanged where that prohibits it, as PostgreSQL does."""
    if password.isascii():
        return password
    mapped = "".join("" if stringprep.in_table_b1(c) else " " if stringprep.in_table_c12(c) else c for c in password)
    # RFC 4013 looks for what is prohibited in the normalised text; PostgreSQL does so in the text before that.
    if not mapped or any(is_in(character) for character in mapped for is_in in _PROHIBITED):
        return password
    if any(map(stringprep.in_table_d1, mapped)):
        ends = stringprep.in_table_d1(mapped[0]) and stringprep.in_table_d1(mapped[-1])
        if any(map(stringprep.in_table_d2, mapped)) or not ends:
            return password
    return unicodedata.normalize("NFKC", mapped)
