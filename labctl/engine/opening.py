"""Opens a session: which lab, which target, which record, and what forbids it."""

from __future__ import annotations

import getpass
import re
import socket
import time
from dataclasses import replace
from pathlib import Path

from labctl.engine.choices import Choices
from labctl.engine.lifetime import usual_life_s
from labctl.engine.programs import packages_here
from labctl.engine.requirements import unmet
from labctl.engine.retry import with_retries
from labctl.engine.stage import Stage
from labctl.errors import LimitError, TargetError, UsageError
from labctl.events import StepProgressed
from labctl.ledger.sessions import (
    SessionRecord,
    known_sessions,
    new_session_id,
)
from labctl.paths import state_folder
from labctl.spec.catalogue import Catalogue, load_catalogue
from labctl.spec.fields import ResourceModel
from labctl.spec.lab import Lab
from labctl.spec.limits import load_limits
from labctl.targets.base import Ability, CallHook, KeyWait, Target

LOCAL = "local"


def session_name(lab: str, target: str, chosen: str) -> str:
    """Return a session's name: the chosen one or the lab's, with its target unless it is local."""
    name = chosen or lab
    if target == LOCAL:
        return name
    return f"{name}@{re.sub(r'[^A-Za-z0-9.-]+', '-', target.removeprefix('http://'))}"[:80]


def make_target(
    name: str,
    *,
    region: str,
    profile: str,
    state: Path,
    on_call: CallHook | None = None,
    wait: KeyWait | None = None,
) -> Target:
    """Return the target of a name: local, hosts, aws, or an endpoint's URL."""
    if name in (LOCAL, "hosts"):
        from labctl.targets.local import LocalTarget

        return LocalTarget(state, on_call=on_call, wait=wait)
    if name == "aws":
        from labctl.targets.aws import AwsTarget

        return AwsTarget(profile=profile or None, region=region, on_call=on_call, wait=wait)
    if re.match(r"https?://[^/\s]+", name):
        from labctl.targets.endpoint import EndpointTarget

        return EndpointTarget(
            name, region=region, profile=profile or None, on_call=on_call, wait=wait
        )
    raise UsageError(f"no target '{name}'", "use local, aws, hosts or an endpoint's URL")


def owner_of(catalogue: Catalogue) -> str:
    """Return who owns what is created: the catalogue's owner, else user@host."""
    return catalogue.defaults.owner or f"{getpass.getuser()}@{socket.gethostname()}"


def find_session(state: Path, lab: str, choices: Choices) -> SessionRecord | None:
    """Return the session that a lab's name or session's name means, if this machine knows it."""
    fitting = [
        record
        for record in known_sessions(state)
        if (lab in (record.lab, record.name) or _is_file_of(record, lab))
        and choices.target in ("", record.target)
        and (not choices.name or record.name.partition("@")[0] == choices.name)
    ]
    if len(fitting) < 2:
        return fitting[0] if fitting else None
    exact = [record for record in fitting if record.name == (choices.name or lab)]
    if exact:
        return exact[0]
    names = ", ".join(f"{record.name} ({record.target})" for record in fitting)
    raise UsageError(f"'{lab}' has several sessions: {names}", "say which with --name or --target")


def _is_file_of(record: SessionRecord, argument: str) -> bool:
    """Whether a command's LAB is the path of the session's lab file, or of its folder."""
    file = Path(record.lab_file)
    return "/" in argument and Path(argument).expanduser().resolve() in (file, file.parent)


def new_record(
    lab: Lab, *, lab_file: Path, target: str, choices: Choices, catalogue: Catalogue
) -> SessionRecord:
    """Return the record of a session that does not exist yet; its account is filled in later."""
    defaults, now = catalogue.defaults, time.time()
    life_s = choices.ttl_s or usual_life_s(lab, defaults)
    return SessionRecord(
        name=session_name(lab.name, target, choices.name),
        id=new_session_id(),
        lab=lab.name,
        lab_file=str(lab_file.resolve()),
        target=target,
        region=defaults.region or "us-east-1",
        profile=defaults.profile or "",
        account="",
        owner=owner_of(catalogue),
        settings=dict(choices.settings),
        plain_names=choices.plain_names,
        created_at=now,
        expires_at=now + life_s,
    )


def refuse_a_taken_name(state: Path, record: SessionRecord) -> None:
    """Raise `UsageError` when another lab's session has the name of a new one.

    Its record would be overwritten, and what it made known to nobody.
    """
    for known in known_sessions(state):
        if known.name == record.name:
            raise UsageError(
                f"session '{known.name}' is of another lab file, {known.lab_file}",
                "give this one a name of its own: --name SESSION",
            )


def with_choices(record: SessionRecord, choices: Choices) -> SessionRecord:
    """Return a known session's record with this command's settings laid over its own."""
    if choices.plain_names and not record.plain_names:
        raise UsageError(
            f"session '{record.name}' stands with names of its own",
            f"take it down first: labctl down {record.lab}",
        )
    return replace(record, settings={**record.settings, **choices.settings})


def refuse_what_cannot_be(stage: Stage) -> None:
    """Raise before anything is created: what the target lacks or only pretends to do."""
    reasons = [
        f"{name}: {reason}"
        for name, model in stage.lab.resources.items()
        if (reason := _refusal(stage, model)) is not None
    ]
    reasons += unmet(stage, stage.lab.requires)
    if stage.record.target == "hosts":
        reasons += [
            f"{name}: target 'hosts' needs machines for it under `hosts:`"
            for name, model in stage.lab.resources.items()
            if model.kind == "ec2.instance"
        ]
    if reasons:
        raise TargetError(
            f"target {stage.record.target} cannot give this lab: {'; '.join(reasons)}",
            "labctl doctor says what it can",
        )


def get_programs(stage: Stage, *, fetch: bool) -> None:
    """Raise before anything is created when machines would lack programs, or `fetch` those."""
    needed = packages_here(stage.lab)
    lacking = stage.target.missing_programs([each.program for each in needed])
    packages = [each.name for each in needed if each.program in lacking]
    if not packages:
        return
    if not fetch:
        raise TargetError(
            f"this machine lacks what the lab's agents need: {', '.join(lacking)}",
            f"sudo apt-get install {' '.join(packages)}   or without root: "
            f"labctl up {stage.record.lab} --fetch",
        )
    stage.target.fetch(
        packages,
        lambda message: stage.bus.emit(StepProgressed(step="packages", message=message)),
    )
    if still := stage.target.missing_programs(lacking):
        raise TargetError(
            f"what was fetched does not bring {', '.join(still)}",
            f"sudo apt-get install {' '.join(packages)}",
        )


def _refusal(stage: Stage, model: ResourceModel) -> str | None:
    return with_retries(
        lambda attempt: stage.target.refusal(model.kind, model.model_dump()),
        cancelled=stage.cancelled,
        on_retry=lambda attempt, delay_s, reason: None,
    )


def refuse_over_budget(lab: Lab, record: SessionRecord, price_per_hour_usd: float) -> None:
    """Raise `LimitError` when the lab at rest would cost more than its budget in its life."""
    budget = lab.limits.budget_usd
    hours = (record.expires_at - record.created_at) / 3600
    if record.target == "aws" and budget is not None and price_per_hour_usd * hours > budget:
        raise LimitError(
            f"the lab would cost about {price_per_hour_usd * hours:.2f} USD in {hours:.1f} h, "
            f"its budget is {budget:.2f} USD",
            "fewer or smaller machines, a shorter ttl, or a larger budget_usd in the lab file",
        )


def abilities(choices: Choices) -> list[Ability]:
    """Return what this machine and the chosen target can and cannot do, limits in force last."""
    file = load_catalogue(choices.catalogue_file).limits_file()
    said = "none named: `limits:` in a labs.yaml names some"
    limits = Ability("limits", True, load_limits(file).in_one_line() if file else said)
    return [*chosen_target(choices).abilities(), limits]


def chosen_target(choices: Choices, *, wait: KeyWait | None = None) -> Target:
    """Return the target that a command without a lab means: the chosen or the catalogue's."""
    catalogue = load_catalogue(choices.catalogue_file)
    defaults, limits_file = catalogue.defaults, catalogue.limits_file()
    target = make_target(
        choices.target or defaults.target or LOCAL,
        region=defaults.region or "us-east-1",
        profile=choices.profile or defaults.profile or "",
        state=state_folder(),
        wait=wait,
    )
    limits = load_limits(limits_file) if limits_file else None
    if limits is not None and limits.session_life is not None:
        target.keys_usually_live(limits.session_life)
    return target
