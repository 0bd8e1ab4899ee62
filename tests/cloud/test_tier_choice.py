"""Which tier a cloud takes, and what it says when it cannot take the one asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.cloud.choosing import TierRefused, choose, wanted_tier

TIERS = st.sampled_from(["", "net", "plain"])


@given(asked=TIERS, remembered=TIERS, in_use=st.booleans(), obstacle=st.sampled_from(["", "no"]))
def test_a_tier_is_what_was_asked_or_the_best_or_refused(
    asked: str, remembered: str, in_use: bool, obstacle: str
) -> None:
    made_for = remembered or "plain"
    other = in_use and asked not in ("", made_for)
    wanted = asked or (made_for if in_use else "")
    if other or (wanted == "net" and obstacle):
        with pytest.raises(TierRefused) as refusal:
            choose(wanted_tier(asked, remembered=made_for, in_use=in_use), obstacle)
        assert "labctl cloud" in refusal.value.hint
    else:
        choice = choose(wanted_tier(asked, remembered=made_for, in_use=in_use), obstacle)
        assert choice.name == (wanted or ("plain" if obstacle else "net"))


def test_instances_of_an_older_cloud_are_plain() -> None:
    assert wanted_tier("", remembered="", in_use=True) == "plain"


def test_the_reason_names_what_stands_in_the_way() -> None:
    assert "AppArmor forbids it" in choose("", "AppArmor forbids it").reason
