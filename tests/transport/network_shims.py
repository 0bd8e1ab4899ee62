"""`iptables` and `tc` for tests: they keep their rules in files, and know only what labctl says.

Run as `network_shims.py iptables|tc FOLDER WORDS...`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def iptables(file: Path, words: list[str]) -> int:
    """Keep chains of rules; fail where the real one does."""
    chains: dict[str, list[str]] = (
        json.loads(file.read_text()) if file.exists() else {"INPUT": [], "OUTPUT": []}
    )
    verb, *rest = words[2:]  # -w SECONDS comes first
    if verb == "-nL":
        return 0
    chain, *rule = rest
    text = " ".join(rule)
    known = chain in chains
    if verb == "-N" and not known or verb == "-F" and known:
        chains[chain] = []
    elif verb == "-X" and known and not chains[chain] and not _is_used(chain, chains):
        del chains[chain]
    elif verb == "-A" and known:
        chains[chain].append(text)
    elif verb == "-I" and known:
        chains[chain].insert(int(rule[0]) - 1, " ".join(rule[1:]))
    elif verb == "-D" and known and text in chains[chain]:
        chains[chain].remove(text)
    elif not (verb == "-C" and known and text in chains[chain]):
        return 1
    file.write_text(json.dumps(chains))
    return 0


def _is_used(chain: str, chains: dict[str, list[str]]) -> bool:
    return any(rule == f"-j {chain}" for rules in chains.values() for rule in rules)


def tc(file: Path, words: list[str]) -> int:
    """Keep the root's one discipline."""
    _, verb, _, _device, _, *rest = words
    if verb == "show":
        sys.stdout.write((file.read_text() if file.exists() else "qdisc fq_codel 0: root") + "\n")
    elif verb == "replace":
        handle, kind = rest[1], rest[2]
        file.write_text(f"qdisc {kind} {handle} root {' '.join(rest[3:])}")
    elif verb == "del":
        file.unlink()
    return 0


if __name__ == "__main__":
    program, folder, *words = sys.argv[1:]
    run = {"iptables": iptables, "tc": tc}[program]
    sys.exit(run(Path(folder) / program, words))
