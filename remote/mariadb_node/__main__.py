"""Runs a MariaDB node: `python -m mariadb_node`, configured by its environment."""

from __future__ import annotations

import os
import sys

from mariadb_node.node import run

sys.exit(run(os.environ))
