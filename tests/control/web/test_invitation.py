"""The link, its code, and the token in it."""

from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from rtsep.control.web import invitation
from rtsep.errors import UsageError


def test_a_token_is_made_once_and_is_for_its_user_alone(tmp_path: Path) -> None:
    token = invitation.keep_token(tmp_path / "settings")
    assert len(token) >= 20
    assert token.isascii()
    assert invitation.keep_token(tmp_path / "settings") == token
    assert invitation.keep_token(tmp_path / "other") != token
    if sys.platform != "win32":
        mode = (tmp_path / "settings" / invitation.TOKEN_FILE).stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


def test_a_file_without_a_token_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"short", b"\xff" * 40):
        (tmp_path / invitation.TOKEN_FILE).write_bytes(content)
        with pytest.raises(UsageError, match="web-token"):
            invitation.keep_token(tmp_path)


def test_loopback_is_this_machine_and_nothing_else() -> None:
    assert all(invitation.is_loopback(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost"))
    assert not any(
        invitation.is_loopback(host) for host in ("0.0.0.0", "::", "", "10.0.0.1", "localhost.evil", "stage")
    )


def test_the_link_holds_the_token_where_browsers_keep_it_to_themselves() -> None:
    assert invitation.link("127.0.0.1", 8737, "") == "http://127.0.0.1:8737/"
    assert invitation.link("10.0.0.1", 1, "abc") == "http://10.0.0.1:1/#abc"
    assert invitation.link("fe80::1", 1, "abc") == "http://[fe80::1]:1/#abc"
    assert "0.0.0.0" not in invitation.link("0.0.0.0", 1, "abc")


def test_the_code_is_shown_where_others_may_come() -> None:
    assert len(list(invitation.invite("127.0.0.1", 8737, ""))) == 1
    first, *picture, last = invitation.invite("10.0.0.1", 8737, "x" * 22)
    assert "http://10.0.0.1:8737/#" in first
    assert len(picture) > 10
    assert "encryption" in last
