"""The shipped lab `db-scaling`: its parts by its parameters, and who may reach its servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from labctl.engine.vocabulary import vocabulary
from labctl.spec.load import load_lab

LAB = Path(__file__).parents[2] / "labs" / "db-scaling" / "lab.yaml"


@pytest.mark.parametrize(
    ("settings", "roles"),
    [
        ({}, {"standalone", "primary", "replica", "cluster", "client"}),
        ({"cluster": "0", "clients": "0"}, {"standalone", "primary", "replica"}),
        ({"standalone": "0", "primary": "0", "replicas": "0"}, {"cluster", "client"}),
    ],
)
def test_its_parts_are_chosen_by_its_parameters(settings: dict[str, str], roles: set[str]) -> None:
    lab = load_lab(LAB, vocabulary(), settings=settings)
    made = {name for name, model in lab.resources.items() if model.kind == "ec2.instance"}
    assert made == roles
    agent_of = {"client": "load"}
    assert set(lab.agents) == {agent_of.get(role, role) for role in roles}


def test_every_topology_is_measured() -> None:
    lab = load_lab(LAB, vocabulary())
    measured: dict[str, set[str]] = {}
    for name, benchmark in lab.benchmarks.items():
        subjects = benchmark.model_dump()["subjects"]
        measured[name] = {subject["topology"] for subject in subjects.values()}
    assert measured["read-only"] == {"standalone", "replicated", "cluster"}
    assert measured["read-write"] == {"standalone", "replicated", "cluster"}


def test_a_server_is_reached_only_by_those_that_ask_it() -> None:
    lab = load_lab(LAB, vocabulary())
    open_to = {
        (name, rule["port"], rule["source"])
        for name, model in lab.resources.items()
        if model.kind == "ec2.security_group"
        for rule in model.model_dump()["ingress"]
        if rule["port"] != 22
    }
    assert open_to == {
        ("standalone-access", 3306, "client-access"),
        ("primary-access", 3306, "client-access"),
        ("primary-access", 3306, "replica-access"),
        ("replica-access", 3306, "client-access"),
        ("cluster-access", 3306, "client-access"),
        ("cluster-access", 3306, "cluster-access"),
        ("cluster-access", "4567-4568", "cluster-access"),
        ("cluster-access", 4444, "cluster-access"),
    }


def test_no_server_has_secrets_that_it_does_not_need() -> None:
    lab = load_lab(LAB, vocabulary())
    holders = {name for name, agent in lab.agents.items() if "replication" in agent.secrets}
    assert holders == {"primary", "replica"}
