#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""For stats.sh: what netring stats prints, looked at.

  stats.py json EXPRESSION        of the JSON on standard input, which has to match the schema; prints the value
  stats.py prometheus EXPRESSION  of the text format on standard input, which has to keep its rules

In an expression, c is the list of captures, t the first one's total, r its rings, report the whole; m the metrics by name, each a list of
(labels, value)."""
import json
import os
import re
import sys

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)$')
# What promtool's linter does not want: suffixes of histograms, types, and units that are none of Prometheus' own.
RESERVED = re.compile(r"_(count|sum|bucket|counter|gauge|ms|us|ns|sec|msec|kb|mb|milliseconds|microseconds|nanoseconds|minutes|hours|kibibytes|bits)(_|$)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


def metrics(text):
    found, types, helps, seen, last = {}, {}, {}, set(), None
    assert text.endswith("\n"), "the last line has no end"
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert name not in helps and words.endswith("."), line
            helps[name] = words
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name in helps and name not in types and name not in found and kind in ("counter", "gauge"), line
            assert (kind == "counter") == name.endswith("_total"), line
            assert not RESERVED.search(name) and name == name.lower(), line
            types[name] = kind
        else:
            match = SAMPLE.match(line)
            assert match, line
            name, labels = match[1], match[2] or ""
            assert name in types and (name == last or name not in found), "not together: " + line
            assert (name, labels) not in seen, "twice: " + line
            seen.add((name, labels))
            found.setdefault(name, []).append((dict(LABEL.findall(labels)), float(match[3])))
            last = name
    return found


def main():
    text = sys.stdin.read()
    if sys.argv[1] == "prometheus":
        print(eval(sys.argv[2], {"m": metrics(text)}))
        return
    import jsonschema
    with open(os.environ["abs_top_srcdir"] + "/share/netring-stats.schema.json") as file:
        schema = json.load(file)
    jsonschema.Draft7Validator.check_schema(schema)
    report = json.loads(text)
    jsonschema.validate(report, schema)
    captures = report["captures"]
    first = captures[0] if captures else {"total": None, "rings": None}
    print(eval(sys.argv[2], {"report": report, "c": captures, "t": first["total"], "r": first["rings"]}))


main()
