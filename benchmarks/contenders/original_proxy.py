"""The original course's way: a development server, and a new connection for each query.

original_proxy.py proxy ADDRESS PORT     # asks the database
original_proxy.py trusted ADDRESS PORT   # passes on to the proxy, by a new connection too
"""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

import pymysql
import requests
from flask import Flask, request

app = Flask(__name__)


@app.post("/query")
def query() -> Any:  # noqa: ANN401 - Flask takes many types
    asked = request.get_json()
    if sys.argv[1] == "trusted":
        answer = requests.post(f"{os.environ['PROXY']}/query", json=asked, timeout=10)
        return answer.json(), answer.status_code
    began = time.perf_counter()
    host, _, port = os.environ["SERVER"].partition(":")
    connection = pymysql.connect(
        host=host,
        port=int(port),
        user="reader",
        password=(Path(os.environ["SECRETS"]) / "reader").read_text(),
        database="sakila",
        ssl_disabled=True,  # today's driver reads all certificates anew; the original's did not
    )
    with connection, connection.cursor() as cursor:
        cursor.execute(asked["query"])
        rows = cursor.fetchall()
    return {"rows": rows, "took_ms": (time.perf_counter() - began) * 1000}


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it is not to pay for a log
    sys.stdout.write('"ready"\n')
    sys.stdout.flush()
    app.run(sys.argv[2], int(sys.argv[3]), threaded=True)
