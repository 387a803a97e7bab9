"""Settings as the environment gives them: what can't be meant is refused by name, before anything runs on it."""

import pytest

from shared.settings import LEAST, Settings


@pytest.mark.parametrize("name", LEAST)
def test_too_little_is_refused(name):
    variable = "STORAGE_IN_PROGRESS_TIMER" if name == "storage_in_progress_timer" else f"SLUICE_{name.upper()}"

    with pytest.raises(ValueError, match=f"{variable}='0': at least {LEAST[name]} is needed"):
        Settings.from_env({variable: "0"})


def test_defaults_are_enough():
    settings = Settings()

    assert all(getattr(settings, name) >= least for name, least in LEAST.items())


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="SLUICE_MAX_LANES='many': a number is needed"):
        Settings.from_env({"SLUICE_MAX_LANES": "many"})


def test_keyless_identities_are_set_by_these_variables():
    settings = Settings.from_env(
        {
            "SLUICE_AWS_WEB_IDENTITY_ROLE_ARN": "arn:aws:iam::123456789012:role/x",
            "SLUICE_AZURE_GOOGLE_IDENTITY": "true",
            "GCE_METADATA_HOST": "127.0.0.1:8",
        }
    )

    assert settings.aws_web_identity_role_arn == "arn:aws:iam::123456789012:role/x"
    assert settings.aws_web_identity_audience == "sluice"
    assert settings.azure_google_identity
    assert settings.google_metadata_host == "127.0.0.1:8"
