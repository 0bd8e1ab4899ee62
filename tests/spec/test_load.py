"""A lab file is loaded whole, or all of its mistakes are told at once, each in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import SpecError
from labctl.spec.hosts import HostModel
from labctl.spec.load import load_lab
from tests.spec.vocabularies import HEAD, VOCABULARY, Instance, Queue, load

GOOD = (
    HEAD
    + """\
resources:
  requests: {kind: sqs.queue, dead_letter: {to: dead}}
  dead: {kind: sqs.queue}
  copy: {kind: s3.bucket, copies_of: [archive], notes: {from: "${requests.arn}"}}
  archive: {kind: s3.bucket}
  worker: {kind: ec2.instance, ingress: [{port: 22, from: me}, {port: 80, from: front}]}
  front: {kind: ec2.security_group}
agents:
  work: {on: worker, program: numbers_worker, env: {Q: "${requests.url}", S: "${session.id}"}}
"""
)

WRONG = """\
apiVersion: labctl/v2
name: Bad Name
titel: x
params: {jobs: {type: integer, default: many}, w: {type: duration, default: 5s, max: 3s}}
limits: {ttl: 3 hours, budget_usd: lots}
resources:
  requests: {kind: sqs.que, x: 1}
  a: {kind: sqs.queue, dead_letter: {to: b}, visibilty_timeout: 30, retention: 5, fifo: yes}
  b: {kind: sqs.queue, dead_letter: {to: a}, visibility_timeout: 24h}
  c: {kind: s3.bucket, versioning: "${a.url}", copies_of: [a, nope, 3]}
  d: {kind: s3.bucket, notes: {x: "${d.arn}", y: "${bb.arn}", z: "${b.ul}", q: "${b}"}}
  session: {kind: s3.bucket}
  t: {kind: dynamodb.table}
  w: {kind: ec2.instance, count: 12, ingress: [{port: 22, from: b}, {port: [], from: me, x: 1}]}
  list: []
agents:
  n: {on: wrk, program: number_worker, env: {"A-B": x, OK: [1]}, ready: {log: x, port: 70000}}
  m: {on: a, restart: allways}
workload: {kind: numbers, send: requests, collect: c, results: nope, jobs: "${a.url}"}
checks:
  - {id: x, say: y, that: {job: {}}}
  - {id: x, say: y, that: {jobs: {done: "${params.jobs}", lost: no}, queue: {}}, within: soon}
  - {id: z, say: "${a.url}", that: {queue: {name: qq, visible: "${params.nope}"}}}
panels: [resources, queue]
outputs: {"a b": x, y: "${session.user} ${params.joobs}"}
titel: y
"""

TOLD = """\
1:1: 'title' is missing
1:13: 'apiVersion' cannot be 'labctl/v2' (did you mean labctl/v1?)
2:7: 'name' has characters that are not allowed \
(allowed: lower-case letters, digits and '-', a letter first, 40 at most)
3:1: unknown key 'titel' (did you mean title?)
4:16: 'jobs': 'many' is not a whole number
4:51: 'w': 5s is more than the most, 3s
5:15: 'ttl': unknown unit 'hours' for a duration; use one of ms, s, m, min, h, d
5:36: 'budget_usd' must be a number, not 'lots'
7:20: unknown kind 'sqs.que' (did you mean sqs.queue?)
8:42: these need each other in a circle: a -> b -> a
8:46: unknown key 'visibilty_timeout' (did you mean visibility_timeout?)
8:80: 'retention': a duration is a number with its unit, such as 30s
8:89: 'fifo' must be true or false, not 'yes'
9:66: 'visibility_timeout' must be at most 12h, not 24h
10:36: 'versioning' cannot wait for what is known only once the lab is up \
(only ${params...} can stand here)
10:60: 'a' is a sqs.queue; this must be a s3.bucket (valid: c, d, session)
10:63: no resource 'nope' (valid: c, d, session)
10:69: entry 3 in 'copies_of' must be text, not the number 3
11:35: these need each other in a circle: d -> d
11:50: no resource 'bb' (did you mean b?)
11:66: 'b' (sqs.queue) has no 'ul' (did you mean url?)
11:80: this is no reference: ${b} (write ${name.attribute}, or $${ for a literal ${)
12:12: no resource can be named 'session': references use that name
13:6: 'key' is missing in 't'
14:34: 'count' must be at most 9, not 12
14:65: 'b' is a sqs.queue; this must be a ec2.security_group or ec2.instance (valid: w)
14:76: 'port' must be a whole number or text, not a list
14:90: unknown key 'x' (valid: from, port)
15:9: 'list' must be a mapping, not a list
17:11: no role 'wrk' (valid: w)
17:25: no program 'number_worker' (did you mean numbers_worker or images_worker?)
17:46: the name 'A-B' has characters that are not allowed \
(allowed: letters, digits and '_', no digit first)
17:60: 'OK' must be text, not a list
17:88: 'port' must be at most 65535, not 70000
18:6: 'program' is missing in 'm'
18:11: 'a' is a sqs.queue, and agents run on ec2.instances
18:23: 'restart' cannot be 'allways' (did you mean always?)
19:52: 'c' is a s3.bucket; this must be a sqs.queue (valid: a, b)
19:64: no resource 'nope' (valid: t)
19:76: 'jobs' cannot wait for what is known only once the lab is up \
(only ${params...} can stand here)
21:28: unknown check 'job' (did you mean jobs?)
22:10: another check has the id 'x' too
22:27: 'that' must have at most one entry
22:90: 'within': a duration is a number with its unit, such as 30s
23:18: ${a.url} is known only once the lab is up (only ${params...} can stand here)
23:51: no resource 'qq' (valid: a, b)
23:64: no parameter 'nope' (valid: jobs, w)
24:21: unknown panel 'queue' (did you mean queues?)
25:11: the name 'a b' has characters that are not allowed \
(allowed: letters, digits, '_' and '-', a letter first, 40 at most)
25:24: no parameter 'joobs' (did you mean jobs?)
25:24: the session has no 'user' (valid: account, id, name, owner, region)
26:1: the key 'titel' is there twice (first on line 3)
"""


def told(folder: Path, text: str) -> list[str]:
    """Return the mistakes of a lab file, without the file's name."""
    with pytest.raises(SpecError) as caught:
        load(folder, text)
    return [str(mistake).removeprefix(f"{mistake.file}:") for mistake in caught.value.mistakes]


def test_every_mistake_is_told_at_once_and_in_order(tmp_path: Path) -> None:
    assert told(tmp_path, WRONG) == TOLD.splitlines()


def test_a_good_lab_has_its_parts_and_what_they_need(tmp_path: Path) -> None:
    lab = load(tmp_path, GOOD)
    assert lab.path == tmp_path / "lab.yaml"
    assert lab.resources["requests"] == Queue.model_validate_json(
        '{"kind": "sqs.queue", "dead_letter": {"to": "dead"}}'
    )
    assert lab.dependencies == {
        "requests": {"dead"},
        "dead": set(),
        "copy": {"archive", "requests"},
        "archive": set(),
        "worker": {"front", "worker-access", "shared"},
        "front": set(),
        "worker-access": set(),
        "shared": set(),
    }
    assert lab.agent_needs("work") == {"worker", "requests"}


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    lab = load(tmp_path, HEAD)
    assert lab.limits.ttl == 3 * 3600
    assert lab.limits.budget_usd is None
    assert (lab.resources, lab.agents, lab.checks, lab.workload) == ({}, {}, (), None)


def test_what_is_implied_once_or_equally_is_one_resource(tmp_path: Path) -> None:
    lab = load(tmp_path, HEAD + "resources: {v: {kind: ec2.instance}, w: {kind: ec2.instance}}\n")
    assert list(lab.resources) == ["v", "w", "v-access", "shared", "w-access"]
    assert lab.dependencies["w"] == {"w-access", "shared"}


def test_a_resource_of_the_file_wins_over_an_implied_one_of_its_kind(tmp_path: Path) -> None:
    own = "w-access: {kind: ec2.security_group, description: mine}"
    lab = load(tmp_path, HEAD + f"resources: {{w: {{kind: ec2.instance}}, {own}}}\n")
    assert lab.resources["w-access"].model_dump()["description"] == "mine"
    assert lab.dependencies["w"] == {"w-access", "shared"}


def test_implied_resources_are_part_of_circles(tmp_path: Path) -> None:
    own = 'w-access: {kind: ec2.security_group, description: "${w.addresses}"}'
    assert told(tmp_path, HEAD + f"resources: {{w: {{kind: ec2.instance}}, {own}}}\n") == [
        "4:16: these need each other in a circle: w -> w-access -> w"
    ]


HOSTS = "hosts: {worker: [{address: 10.0.0.7, user: me, trust_first_use: true}]}\n"


def test_hosts_stand_in_for_the_instances_of_a_role(tmp_path: Path) -> None:
    lab = load(tmp_path, GOOD + HOSTS)
    assert "worker" not in lab.resources
    assert "worker-access" not in lab.resources
    assert lab.hosts["worker"][0].address == "10.0.0.7"
    assert lab.agent_needs("work") == {"requests"}


def test_hosts_may_come_from_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(GOOD)
    host = HostModel(address="h", user="u", trust_first_use=True)
    lab = load_lab(path, VOCABULARY, hosts={"worker": (host,)})
    assert lab.hosts == {"worker": (host,)}
    assert "worker" not in lab.resources


def test_hosts_have_no_outputs_and_replace_only_instances(tmp_path: Path) -> None:
    outputs = 'outputs: {a: "${worker.addresses}"}\n'
    assert told(tmp_path, GOOD + HOSTS + outputs) == [
        "14:14: 'worker' is given hosts, which have no outputs to refer to"
    ]
    assert told(tmp_path, GOOD + HOSTS.replace("worker", "archive")) == [
        "7:39: 'archive' is given hosts, not a resource that is made",
        "8:12: 'archive' has hosts, and only ec2.instances can be replaced so",
    ]


def test_agents_may_run_on_hosts_alone(tmp_path: Path) -> None:
    lab = load(tmp_path, HEAD + HOSTS + "agents: {a: {on: worker, program: numbers_worker}}\n")
    assert lab.agent_needs("a") == frozenset()


def test_what_a_field_may_say_besides_a_name_is_none(tmp_path: Path) -> None:
    rule = "resources: {w: {kind: ec2.instance, ingress: [{port: 1, from: %s}]}}\n"
    assert load(tmp_path, HEAD + rule % "10.0.0.0/8").dependencies["w"] == {"w-access", "shared"}
    assert told(tmp_path, HEAD + rule % "w-acces") == [
        "4:63: no resource 'w-acces' (did you mean w-access?)"
    ]


def test_a_duration_within_bounds_and_a_late_reference_in_a_text_are_fine(tmp_path: Path) -> None:
    lab = load(tmp_path, HEAD + 'resources: {w: {kind: ec2.instance, type: "${session.region}"}}\n')
    worker = lab.resources["w"]
    assert isinstance(worker, Instance)
    assert worker.type == "${session.region}"
    assert lab.resolve(worker, lambda scope, attribute: "here").type == "here"


NAMES = ("a", "b", "c", "d", "e")


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(NAMES)))
def test_circles_of_any_mix_of_names_and_references_are_found(
    tmp_path_factory: pytest.TempPathFactory, needs: dict[str, str]
) -> None:
    text = (
        HEAD
        + "resources:\n"
        + "".join(
            f"  {name}: {{kind: s3.bucket, copies_of: [{needs[name]}]}}\n"
            if name in needs and name < "c"
            else f'  {name}: {{kind: s3.bucket, notes: {{n: "${{{needs[name]}.arn}}"}}}}\n'
            if name in needs
            else f"  {name}: {{kind: s3.bucket}}\n"
            for name in NAMES
        )
    )
    folder = tmp_path_factory.mktemp("lab")

    def comes_back(name: str) -> bool:
        seen = set()
        while name in needs and name not in seen:
            seen.add(name)
            name = needs[name]
        return name in seen

    if any(comes_back(name) for name in NAMES):
        assert any("in a circle" in line for line in told(folder, text))
    else:
        lab = load(folder, text)
        assert lab.dependencies == {
            name: {needs[name]} if name in needs else set() for name in NAMES
        }


@given(st.data())
def test_any_change_of_a_good_lab_is_loaded_or_told(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = GOOD + HOSTS
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    noise = data.draw(st.text(alphabet="${}[]:,-\"'\n #ax1.&*!|\t", max_size=8))
    folder = tmp_path_factory.mktemp("lab")
    try:
        load(folder, text[:start] + noise + text[end:])
    except SpecError as error:
        lines = (text + noise).count("\n") + 1
        if not all(1 <= mistake.line <= lines for mistake in error.mistakes):
            pytest.fail(str(error))


def test_actions_are_checked_like_every_part(tmp_path: Path) -> None:
    lab = load(
        tmp_path,
        f"{HEAD}resources: {{b: {{kind: s3.bucket}}}}\n"
        "actions:\n  hello: {kind: greet, say: Say hello, bucket: b}\n",
    )
    assert lab.actions["hello"].say == "Say hello"
    assert told(
        tmp_path,
        f"{HEAD}resources: {{q: {{kind: sqs.queue}}}}\n"
        "actions:\n"
        "  hello: {kind: gret, say: x}\n"
        "  other: {kind: greet, bucket: q}\n"
        "  third: {kind: greet, say: x, bucket: qq}\n",
    ) == [
        "6:17: unknown kind 'gret' (did you mean greet?)",
        "7:10: 'say' is missing in 'other'",
        "7:32: 'q' is a sqs.queue; this must be a s3.bucket (the lab has no s3.bucket)",
        "8:40: no resource 'qq' (the lab has no s3.bucket)",
    ]


AGENT = "agents: {a: {on: worker, program: numbers_worker, secrets: [%s]}}\n"


def test_an_agent_gets_the_secrets_that_the_lab_has(tmp_path: Path) -> None:
    text = HEAD + HOSTS + "secrets: [reader, writer]\n"
    lab = load(tmp_path, text + AGENT % "writer")
    assert (lab.secrets, lab.agents["a"].secrets) == (("reader", "writer"), ("writer",))
    (mistake,) = told(tmp_path, text + AGENT % "writer, reade")
    assert mistake.endswith("no secret 'reade' (did you mean reader?)")
    (mistake,) = told(tmp_path, HEAD + HOSTS + AGENT % "reader")
    assert mistake.endswith("no secret 'reader' (the lab's `secrets:` names none)")


NONE = """
params: {n: {type: integer, default: 0, min: 0}}
resources:
  worker: {kind: ec2.instance, count: "${params.n}"}
  other: {kind: ec2.instance}
agents:
  a: {on: worker, program: numbers_worker}
  b: {on: other, program: numbers_worker}
outputs: {where: "${worker.addresses}"}
"""


def test_a_role_of_no_machines_is_left_out_with_its_agents(tmp_path: Path) -> None:
    lab = load(tmp_path, HEAD + NONE)
    assert lab.left_out == {"worker"}
    assert set(lab.resources) == {"other", "worker-access", "other-access", "shared"}
    assert set(lab.agents) == {"b"}
    assert "worker" not in lab.dependencies
    lab = load(tmp_path, HEAD + NONE, n="2")
    assert (lab.left_out, set(lab.agents)) == (frozenset(), {"a", "b"})


def test_a_group_may_open_to_itself(tmp_path: Path) -> None:
    text = "resources: {w: {kind: ec2.instance, ingress: [{port: 4567, from: w-access}]}}\n"
    lab = load(tmp_path, HEAD + text)
    assert lab.dependencies["w-access"] == set()
