"""Tests that the members of Converse and the arguments of `converse` are named as they are."""

from __future__ import annotations

import inspect

import botocore.session

from bestehorn_llmmanager.bedrock.models.converse_members import MEMBERS, members_of
from bestehorn_llmmanager.llm_manager import LLMManager

LATER_THAN_SOME_BOTOCORE = {
    "outputConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
}


def test_the_members_are_those_of_the_service_model() -> None:
    model = botocore.session.Session().get_service_model("bedrock-runtime")
    members = set(model.operation_model("Converse").input_shape.members)
    assert set(MEMBERS.values()) - LATER_THAN_SOME_BOTOCORE <= members


def test_the_arguments_are_those_of_converse() -> None:
    arguments = list(inspect.signature(LLMManager.converse).parameters)
    assert [name for name in arguments if name in MEMBERS] == list(MEMBERS)


def test_what_says_nothing_is_left_out() -> None:
    arguments = {"messages": [1], "system": [], "tool_config": None, "output_config": {"a": 1}}
    assert members_of({**arguments, "unknown": 1}) == {"messages": [1], "outputConfig": {"a": 1}}
