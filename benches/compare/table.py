"""Prints the measurements of compare.sh as Markdown: table.py DIRECTORY.

A file ROUND-NAME.json there is one measurement; ROUND-NAME.stolen has the time that the hypervisor gave to others during it,
and all time. Figures are medians over the rounds in which no measurement was disturbed by that; if there is none, of the round that
was disturbed least. The ledger is of all. Ends with 1 if something was lost, doubled, not acknowledged or stored
though it was not signed.
"""

import json
import statistics
import sys
from pathlib import Path

INSERTS = {
    "row": "one row per transaction",
    "rows": "100 rows per transaction",
    "smallest": "one of the smallest rows per transaction",
}
MIXES = ["chat", "follows", "channels", "hot"]
FOLLOWS = {
    "follows-1": "1 connection, beside (d) with 1 client",
    "follows": "64 connections",
    "follows-128": "128 connections",
    "follows-two": "128 connections to two servers on one database",
}
OPEN = {
    "open": "alone",
    "open-flood": "beside a flood of 64 unsigned connections",
    "open-slow": "beside 2,000 slow connections",
}

# More of the processors' time than this stolen: disturbed.
CALM = 0.02

directory = Path(sys.argv[1])
measured: dict[str, dict[int, dict]] = {}  # by name and round
stolen: dict[int, list[float]] = {}  # by round, the part of the time of each measurement
for file in directory.glob("*.json"):
    number, name = file.stem.split("-", 1)
    measured.setdefault(name, {})[int(number)] = json.loads(file.read_text())
for file in directory.glob("*.stolen"):
    lost, time = map(int, file.read_text().split())
    stolen.setdefault(int(file.stem.split("-", 1)[0]), []).append(lost / time)
calm = sorted(number for number in stolen if max(stolen[number]) <= CALM)
counted = calm or [min(stolen, key=lambda number: sum(stolen[number]))]


def found(name, number, path):
    """What stands there in the report of one round."""
    value = measured[name][number]
    for key in path:
        value = value[key]
    return value


def median(name, *path):
    """Over the rounds that count, of the number that stands there in each report."""
    return statistics.median(found(name, number, path) for number in counted)


def rate(name):
    return median(name, "acknowledged_per_second")


def best(kind):
    """The number of clients with which most rows were inserted, and how many."""
    names = [name for name in measured if name.rsplit("-", 1)[0] == kind]
    name = max(names, key=rate)
    return name.rsplit("-", 1)[1], rate(name)


def table(*head):
    print("\n| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))


def row(*cells):
    print("| " + " | ".join(cells) + " |")


def ratio(part, whole):
    return f"{part / whole:.2f}" if whole else "–"


def beside(name, alone, *path):
    """What an attack makes of a number: the median over the rounds of the ratio of two measurements that followed one
    another, since the machine is not as fast in each round."""
    pairs = [(found(name, number, path), found(alone, number, path)) for number in counted]
    return f"{statistics.median(part / whole for part, whole in pairs):.2f}" if all(whole for _, whole in pairs) else "–"


def milliseconds(name, quantile):
    return f"{median(name, 'latency_us', quantile) / 1000:.2f}"


def floors():
    table("floor", "per second")
    row("the generator alone, against a server that does nothing", f"{rate('nothing'):,.0f}")
    row("(a) actix-web that verifies and keeps nothing", f"{rate('verify'):,.0f}")
    for letter, (kind, what) in zip("bcd", INSERTS.items()):
        for name in sorted((n for n in measured if n.rsplit("-", 1)[0] == kind), key=lambda n: int(n.rsplit("-", 1)[1])):
            clients = name.rsplit("-", 1)[1]
            mark = " (the best)" if clients == best(kind)[0] else ""
            row(f"({letter}) pgbench, {what}, {clients} client{'s' * (clients != '1')}{mark}", f"{rate(name):,.0f}")


def closed_loop():
    ratios = ("of (a)", "of (b)", "of (c)")
    table("showtime, 64 connections", "acknowledged per second", *ratios, "p50 ms", "p99 ms", "p99.9 ms")
    bounds = [rate("verify"), best("row")[1], best("rows")[1]]
    for mix in MIXES + ["chat-flood"]:
        what = "chat, beside a flood of 64 unsigned connections" if mix == "chat-flood" else mix
        ratios = [ratio(rate(mix), bound) for bound in bounds]
        row(what, f"{rate(mix):,.0f}", *ratios, *(milliseconds(mix, q) for q in ("p50", "p99", "p99_9")))
    left = beside("chat-flood", "chat", "acknowledged_per_second")
    refused = median("chat-flood", "flood", "per_second")
    print(f"\nWith the flood / without: {left}; forged messages refused per second: {refused:,.0f}.")


def follows():
    """What fewer or more connections and another server make of it."""
    table("showtime, follows", "acknowledged per second", "of (d)", "of one server", "p50 ms", "p99 ms")
    for name, what in FOLLOWS.items():
        bound = rate("smallest-1") if name == "follows-1" else best("smallest")[1]
        figures = (ratio(rate(name), bound), beside(name, "follows-128", "acknowledged_per_second"))
        row(what, f"{rate(name):,.0f}", *figures, milliseconds(name, "p50"), milliseconds(name, "p99"))


def open_loop():
    table("showtime, chat at 5,000 per second", "acknowledged per second", "p50 ms", "p99 ms", "p99.9 ms", "p99 / alone")
    for name, what in OPEN.items():
        quantiles = [milliseconds(name, q) for q in ("p50", "p99", "p99_9")]
        row(what, f"{rate(name):,.0f}", *quantiles, beside(name, "open", "latency_us", "p99"))
    slow = [measured["open-slow"][number]["slow"] for number in counted]
    print(f"\nSlow connections: {sum(s['connections'] for s in slow):,} made, {sum(s['cut_off'] for s in slow):,} cut off, after "
          f"{min(s['shortest_seconds'] or 0 for s in slow):.1f} to {max(s['longest_seconds'] or 0 for s in slow):.1f} s; "
          f"{sum(s['failed'] for s in slow):,} times none could be made.")


def memory():
    table("showtime's resident memory at the end", "MiB")
    row("then", f"{median('memory', 'VmRSS') / 1024:.1f}")
    row("at its peak", f"{median('memory', 'VmHWM') / 1024:.1f}")


def ledger():
    """Of all rounds together. Whether all is as promised."""
    reports = [report for rounds in measured.values() for report in rounds.values() if report.get("ledger")]
    table("ledger of all rounds", "events")
    sums = {key: sum(report["ledger"][key] for report in reports) for key in reports[0]["ledger"]}
    sums["in the log, but in no ledger"] = measured["log"][max(stolen)]["stored"] - sums["stored"]
    sums["sent, but not acknowledged"] = sum(
        report["sent"] - report["acknowledged"] + report["warm_up_unacknowledged"] for report in reports
    )
    floods = [report["flood"]["statuses"] for report in reports if report["flood"]]
    sums["forged, but acknowledged"] = sum(n for statuses in floods for status, n in statuses.items() if status[0] == "2")
    for key, count in sums.items():
        row(key.replace("_", " "), f"{count:,}")
    wrong = (
        "lost", "doubled", "effects_differ", "in the log, but in no ledger", "sent, but not acknowledged",
        "forged, but acknowledged",
    )
    return not any(sums[key] for key in wrong)


print(f"\nMedians of {len(counted)} of {len(stolen)} rounds; in the others the hypervisor gave more than {CALM:.0%} of the "
      "processors' time to others during a measurement." if calm else "\nNo round was calm: the figures are of the one that was "
      f"disturbed least, with up to {max(stolen[counted[0]]):.0%} of the processors' time stolen.")
floors()
closed_loop()
follows()
open_loop()
memory()
sys.exit(0 if ledger() else 1)
