"""Messages that mean harm: bodies, and ids that would hurt as a file's name."""

from __future__ import annotations

BODIES = [
    *("\u202e1,2,3", "1,2\u200b,3", "\ufeff1,2", "\u2066evil\u2069", "\u0661,\u0662,\u0663"),
    *(
        "\ud7ff",
        "\ue000",
        "\ufffd",
        "\U0001f4a9",
        "\U0010ffff",
        "e\u0301" * 1000,
        "\u00e4\u00f6\u00fc",
    ),
    *("\t", "\n", "\r\n", " " * 1000, ",", "," * 9_999, "," * 100_001, "\n".join("123")),
    *("9" * 100_000, "-" * 10_000, "1" * 250_000, "1," * 100_000 + "1", "nan,inf,-inf"),
    *("../../etc/passwd", "/etc/passwd", "C:\\Windows\\win.ini", "file:///etc/passwd", "~root"),
    *("|cat /etc/passwd", "; rm -rf /", "$(touch pwned)", "`touch pwned`", "&& touch pwned"),
    *("{0.__class__}", "{self}", "%s%s%s%n", "%(x)s", "${jndi:ldap://x}", "{{7*7}}", "{% x %}"),
    *("__import__('os').system('touch pwned')", "eval('1')", "cos\nsystem\n(S'touch pwned'\ntR."),
    *("!!python/object/apply:os.system ['touch pwned']", "<!ENTITY x SYSTEM 'file:///etc/passwd'>"),
    *('{"job_id": "other", "state": "done"}', "[" * 50_000, '{"a":' * 20_000, "null", "true"),
    *("[/x]", "[bold red]x[/]", "[link=file:///etc]x[/link]", "\\x1b]52;c;aGk=\\x07", "\\u001b[2J"),
    *("HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "1,2,3\nready\n", '{"event": "job", "job": "forged"}'),
    *("' OR 1=1 --", "'; DROP TABLE jobs; --", "<script>alert(1)</script>", "&lt;", "]]>"),
]

BAD_IDS = [
    *("..", ".", "../x", "a/b", "a\\b", "a..b", "/abs", "-rf", ".hidden", "_x", "a b", "a\nb"),
    *("a\tb", "a\u202eb", "\u0661", "a\u0301", "x" * 129, "$(x)", "`x`", "%s", "{0}", "a;b", "a:b"),
    *("~", "*", "?", "a|b", "<x>", "'", '"', "\U0001f4a9", "a,b", "CON:", "a\r\nb"),
]
