"""A lab that is quickly measured: a machine that answers at once, or only after a while."""

from __future__ import annotations

from pathlib import Path

LAB = """\
apiVersion: labctl/v1
name: mini
title: Two answers to measure
params:
  seconds: {type: duration, default: 0.5s}
  threads: {type: integer, default: 1}
resources:
  web: {kind: ec2.instance}
agents:
  web: {on: web, program: answers, env: {LISTEN: "${web.address}"}, ready: {log: ready}}
benchmarks:
  waits:
    kind: http
    say: An answer at once against one that waits
    threads: "${params.threads}"
    seconds: "${params.seconds}"
    warm_up: 0s
    subjects:
      quick: {on: web, url: "http://${web.address}:8090/0", served_by: [web]}
      slow: {on: web, url: "http://${web.address}:8090/200", body: {mode: random}}
    published: {source: a report, wrong: [no warm-up], figures: {quick: {per_s: 12.5}}}
  false-label:
    kind: http
    say: Who answers is not who should
    seconds: 0.2s
    warm_up: 0s
    subjects: {other: {on: web, url: "http://${web.address}:8090/other", served_by: [web]}}
"""
ANSWERS = '''
"""Answers after so many milliseconds, and says who did."""

import http.server
import os
import time


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        what = self.path.strip("/")
        time.sleep(int(what) / 1000 if what.isdecimal() else 0)
        body = b'{"node": "%s"}' % (b"web.0" if what.isdecimal() else b"stranger")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer((os.environ["LISTEN"], 8090), Answers)
print("ready", flush=True)
server.serve_forever()
'''


def write_mini_lab(folder: Path) -> Path:
    """Write the lab and its program into a folder that is made; return its file."""
    program = folder / "remote" / "answers"
    program.mkdir(parents=True)
    (program / "__main__.py").write_text(ANSWERS)
    file = folder / "lab.yaml"
    file.write_text(LAB)
    return file
