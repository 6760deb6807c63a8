"""Settings: documented, checked, and strict about money."""

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, SecretStr, ValidationError

from bot.settings import BotSettings
from orchestrator.settings import OfCloud, Settings
from tests.env_example import example


def settings(**values: object) -> Settings:
    return Settings(_env_file=None, **values)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in (*Settings.model_fields.values(), *BotSettings.model_fields.values()):
        monkeypatch.delenv(str(field.alias), raising=False)


def test_the_example_lists_exactly_the_settings() -> None:
    """`make env-example` writes it anew."""
    assert Path(".env.example").read_text() == example()


def test_every_setting_says_what_it_is_for() -> None:
    for field in (*Settings.model_fields.values(), *BotSettings.model_fields.values()):
        assert field.description, field.alias


def test_without_any_setting_the_sandbox_is_used_and_no_cap_is_in_force() -> None:
    plain = settings()

    assert plain.needs_sandbox
    assert plain.caps().day is None


def test_a_real_key_puts_the_caps_in_force() -> None:
    real = settings(VAST_API_KEY="k" * 20)

    assert not real.needs_sandbox
    assert (real.caps().person_day, real.caps().day, real.caps().month) == (2_000_000, 5_000_000, 50_000_000)


def test_a_cap_that_was_set_is_in_force_everywhere() -> None:
    assert settings(GLOWPLUG_CAP_DAY_USD="0.5").caps().day == 500_000


def test_a_sandbox_that_was_named_excludes_every_real_cloud() -> None:
    both = settings(VAST_API_KEY="k" * 20, GLOWPLUG_SANDBOX_URL="http://127.0.0.1:1")

    assert not both.rents_for_real
    assert not both.needs_sandbox


def test_a_comfyui_that_runs_already_needs_no_sandbox() -> None:
    assert not settings(COMFYUI_URL="http://127.0.0.1:8188").needs_sandbox


def test_a_setting_that_cannot_be_is_refused_by_name() -> None:
    with pytest.raises(ValidationError, match="GLOWPLUG_IDLE_TIMEOUT_S"):
        settings(GLOWPLUG_IDLE_TIMEOUT_S="-1")


def test_an_empty_value_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOWPLUG_IDLE_TIMEOUT_S", "")

    assert settings().idle_timeout_s == 600


def test_a_secret_does_not_show_when_settings_are_printed() -> None:
    assert "hush-hush" not in repr(settings(VAST_API_KEY="hush-hush"))


def test_each_cloud_is_declared_by_its_one_field() -> None:
    class WithMore(Settings):
        moon_key: Annotated[SecretStr, OfCloud("moon")] = Field(SecretStr(""), alias="MOON_KEY", description="A key.")

    plain = WithMore(_env_file=None)
    assert {*plain.fields_of_clouds()} == {"vast", "runpod", "lambda", "static", "moon"}
    assert plain.needs_sandbox

    chosen = WithMore(_env_file=None, MOON_KEY="secret", VAST_API_KEY="k")
    assert chosen.rents_for_real
    assert chosen.with_cloud_alone("moon").cloud_keys() == {"moon": (None, "secret")}
    assert chosen.variable_of_cloud("moon") == "MOON_KEY"


def test_machines_of_ones_own_cost_nothing() -> None:
    own = settings(GLOWPLUG_STATIC_HOSTS="root@10.0.0.5")

    assert own.cloud_keys() == {"static": ("root@10.0.0.5", "")}
    assert not own.rents_for_real
    assert not own.needs_sandbox
