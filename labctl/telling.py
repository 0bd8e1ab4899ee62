"""What each event says to a reader, in one plain line; events that say nothing give none."""

from __future__ import annotations

import time

from labctl import bench_events as b
from labctl import events as e
from labctl.text import one_line

VERBS = {"create": "creating", "update": "updating", "replace": "replacing", "delete": "deleting"}
DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}

COUNTED = ("submitted", "done", "failed", "lost", "duplicated")


def seconds(value: float) -> str:
    """Return a time span as people read it: `85 ms`, `3.2 s`, `2 min 5 s`, `1 h 10 min`."""
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def roughly(value: float) -> str:
    """Return a time span that is only a guess: `12 s`, `40 min`, `2 h 5 min`."""
    if value < 60:
        return f"{max(1, round(value))} s"
    minutes = round(value / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def clock(at: float) -> str:
    """Return a moment in unix seconds as a clock here shows it, with its date."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def line_of(event: e.Event) -> str | None:
    """Return the line for an event, or None where a reader needs none."""
    match event:
        case e.TargetReady():
            place = event.endpoint or f"account {event.account}, {event.region}"
            return f"target {event.target} is ready: {place}"
        case e.StepProgressed():
            return f"  {event.step}: {one_line(event.message)}"
        case e.StepRetried():
            return f"  {event.step}: {one_line(event.reason)}; again in {seconds(event.delay_s)}"
        case e.StepFinished():
            done = DONE.get(event.action, "looked again at")
            return f"  {done} {event.resource} ({event.name}) in {seconds(event.seconds)}"
        case e.StepFailed():
            return f"  failed to {event.action} {event.resource}: {one_line(event.message)}"
        case e.MachineReady():
            where = f"{event.address}:{event.port}"
            return f"  {event.machine} answers over SSH at {where} after {seconds(event.seconds)}"
        case e.AgentReady():
            how = "started" if event.changed else "was running already"
            return f"  {event.agent} {how} on {event.machine} ({seconds(event.seconds)})"
        case e.JobFinished():
            how = f"{event.state} in {seconds(event.latency_ms / 1000)} by {event.worker}"
            return f"  {event.job_id} {how}: {one_line(event.answer, limit=80)}"
        case e.MachineDrained():
            return f"  {event.machine} holds no job any more ({seconds(event.seconds)})"
        case e.CheckPassed():
            return f"  PASS  {event.check}: {one_line(event.say)}"
        case e.CheckFailed():
            return f"  FAIL  {event.check}: {one_line(event.say)}: {one_line(event.why)}"
        case e.CheckSkipped():
            return f"  SKIP  {event.check}: {one_line(event.say)}: {one_line(event.why)}"
        case e.Warned():
            hint = f" ({event.hint})" if event.hint else ""
            return f"warning: {one_line(event.message, limit=600)}{hint}"
        case e.CredentialsExpiring() | e.CredentialsExpired() | e.CredentialsRenewed():
            return _credentials_line(event)
        case e.KeysPushed():
            return f"  new keys are on {one_line(', '.join(event.machines), limit=600)}"
        case e.SweepMade():
            found = ", ".join(event.found) or "nothing"
            return f"  sweep {event.sweep} over every kind found {one_line(found, limit=600)}"
        case e.FaultBegan() | e.FaultEnded():
            return _fault_line(event)
        case e.EndMoved():
            was = "its time was over at" if event.was_over else "before:"
            ends = f"{event.session} ends at {clock(event.after)}, in {seconds(event.left_s)}"
            return f"{ends}; {was} {clock(event.before)}"
        case b.BenchmarkStarted() | b.BenchmarkPrepared() | b.BenchmarkRoundMeasured():
            return _bench_line(event)
        case b.BenchmarkFinished() if not event.ok:
            return f"  {event.benchmark} was cut short: {one_line(event.why)}"
        case e.PhaseStarted():
            return f"{event.phase}..."
        case e.PhaseEnded():
            return f"{event.phase} done in {seconds(event.seconds)}"
        case _:
            return None


def _bench_line(
    event: b.BenchmarkStarted | b.BenchmarkPrepared | b.BenchmarkRoundMeasured,
) -> str:
    match event:
        case b.BenchmarkStarted():
            subjects = one_line(", ".join(event.subjects), limit=400)
            return f"{event.benchmark}: {one_line(event.say)} ({event.rounds} rounds of {subjects})"
        case b.BenchmarkPrepared():
            what = one_line(f"{event.tool}; {event.serves}", limit=400)
            return f"  {event.subject} is ready in {seconds(event.seconds)}: {what}"
        case b.BenchmarkRoundMeasured():
            turn = f"round {event.round} of {event.rounds}"
            p95 = f", p95 {event.p95_ms:.2f} ms" if event.p95_ms else ""
            return f"  {turn}: {event.subject} {event.per_s:,.1f} per s{p95}"


def _credentials_line(
    event: e.CredentialsExpiring | e.CredentialsExpired | e.CredentialsRenewed,
) -> str:
    match event:
        case e.CredentialsExpiring():
            left = f"{'about ' if event.about else ''}{seconds(event.left_s)}"
            return f"warning: the credentials ({event.source}) end in {left}"
        case e.CredentialsExpired():
            waits = f"waiting up to {seconds(event.waits_s)}"
            return one_line(f"PAUSED: {event.why}: {event.remedy}; {waits}", limit=600)
        case e.CredentialsRenewed():
            return f"new credentials ({event.source}): going on after {seconds(event.waited_s)}"


def _fault_line(event: e.FaultBegan | e.FaultEnded) -> str:
    fault = one_line(f"{event.what} on {event.machine}")
    if isinstance(event, e.FaultBegan):
        stays = f"until {clock(event.until)}" if event.until else "until it is cleared"
        return f"fault: {fault} {'once' if event.once else stays}"
    gone = ", gone with its machine" if event.gone else ""
    jobs = ", ".join(f"{count} {one_line(state)}" for state, count in event.jobs.items())
    meanwhile = f"; jobs meanwhile: {jobs}" if jobs else ""
    return f"fault over: {fault} after {seconds(event.seconds)}{gone}{meanwhile}"


def proof_lines(event: e.TeardownProved) -> list[str]:
    """Return what a teardown proved, a line a fact."""
    lines = [f"deleted {len(event.deleted)} in {seconds(event.seconds)}:"]
    lines += [f"  {one_line(name)}" for name in event.deleted] or ["  (nothing stood)"]
    lines.append(f"looked for, by tag: {', '.join(event.looked_for)}")
    if event.left:
        lines.append(f"LEFT ({len(event.left)}):")
        lines += [f"  {one_line(name)}" for name in event.left]
    else:
        lines.append("nothing is left")
    return lines


def figure_lines(event: e.RunFinished) -> list[str]:
    """Return a run's figures, a line a fact; none of jobs where that phase was not done."""
    jobs = {name: event.jobs.get(name, 0) for name in COUNTED}
    latency = {name: event.latency_ms.get(name, 0.0) for name in ("p50", "p95")}
    spent = ", ".join(f"{name} {seconds(value)}" for name, value in event.phases_s.items())
    if "jobs" not in event.phases_s:  # it ended before there was anything to count
        return [f"time: {spent}"] if spent else []
    return [
        f"jobs: {jobs['submitted']} submitted, {jobs['done']} done, {jobs['failed']} failed, "
        f"{jobs['lost']} lost, {jobs['duplicated']} duplicated",
        f"rate: {event.jobs_per_s:.1f} jobs per second",
        f"latency: p50 {latency['p50']:.1f} ms, p95 {latency['p95']:.1f} ms",
        f"time: {spent}",
    ]
