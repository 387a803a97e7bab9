"""Web pages of other origins: none but those of the setting."""

from dataclasses import replace

import pytest

from shared.settings import Settings
from tests.api.client import Api

ALLOWED = "https://label.example.org"


def asked(api: Api, origin: str, *, preflight: bool = False) -> dict[str, str]:
    headers = {"Origin": origin}
    if preflight:
        headers |= {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "authorization"}
        return dict(api.nobody.options("/api/tasks/1/", headers=headers).headers)
    return dict(api.http.get("/api/projects/", headers=headers).headers)


class TestByDefault:
    @pytest.mark.parametrize("preflight", [False, True])
    def test_no_page_is_let_in(self, preflight: bool, api: Api):
        assert "access-control-allow-origin" not in asked(api, ALLOWED, preflight=preflight)


class TestWithASetting:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, cors_origins=f"{ALLOWED}/, http://localhost:3000")

    @pytest.mark.parametrize("preflight", [False, True])
    def test_its_origins_are(self, preflight: bool, api: Api):
        for origin in (ALLOWED, "http://localhost:3000"):
            headers = asked(api, origin, preflight=preflight)
            assert headers["access-control-allow-origin"] == origin
            assert "Origin" in headers["vary"]
        for origin in ("https://evil.example.org", "https://label.example.org.evil.example", "null"):
            assert "access-control-allow-origin" not in asked(api, origin, preflight=preflight)

    def test_a_page_sees_what_media_need(self, api: Api):
        shown = asked(api, ALLOWED)["access-control-expose-headers"]
        assert "Content-Range" in shown
        assert "authorization" in asked(api, ALLOWED, preflight=True)["access-control-allow-headers"]

    def test_errors_are_shown_too(self, api: Api):
        answer = api.nobody.get("/api/tasks/1/", headers={"Origin": ALLOWED})
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == ALLOWED


class TestForAll:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return replace(settings, cors_origins="*")

    def test_every_page_is_let_in_without_cookies(self, api: Api):
        headers = asked(api, "https://anything.example")
        assert headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in headers
