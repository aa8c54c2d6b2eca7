#!/usr/bin/env python3
"""Checks `noctule history --format json` against the contract, sharing no code with Noctule.

Usage: check_history.py HISTORY.json FLEET.toml
Reads the contract's rules of time (minor-night, manual-slots, major-on-request, major-notice, maintenance-slots,
office-hours, out-of-scope) from their text, not from the program. Exits 1 and names every row that breaks one.
"""
import json
import sys
import tomllib
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

OVERSEAS = {"FR-971": (5, 27), "FR-972": (5, 22), "FR-973": (6, 10), "FR-974": (12, 20),
            "FR-976": (4, 27), "FR-977": (10, 9), "FR-978": (5, 28)}


def easter(year):
    """Meeus, Jones and Butcher."""
    a, b, c = year % 19, year // 100, year % 100
    d, e, f = b // 4, b % 4, (b + 8) // 25
    g = (b - f + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    l = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * l) // 451
    month, day = divmod(h + l - 7 * m + 114, 31)
    return date(year, month, day + 1)


def is_holiday(day, region):
    fixed = {(1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)}
    if (day.month, day.day) in fixed or (day.month, day.day) == OVERSEAS.get(region):
        return True
    shift = (day - easter(day.year)).days
    if region == "FR-ALS" and (shift == -2 or (day.month, day.day) == (12, 26)):
        return True
    return shift in (1, 39, 50)


def is_working(day, region):
    return day.weekday() < 5 and not is_holiday(day, region)


def earliest(received, region):
    """The fifth working day after the day on which the request counts as received (3.1.b.4)."""
    day = received.date()
    if not is_working(day, region) or received.time() >= time(22):
        day += timedelta(days=1)
        while not is_working(day, region):
            day += timedelta(days=1)
    left = 5
    while left:
        day += timedelta(days=1)
        left -= is_working(day, region)
    return day


def in_maintenance(start, end):
    if start.date() != end.date():
        return False
    if start.weekday() < 5:
        return time(20) <= start.time() and end.time() <= time(22)
    return start.weekday() == 5 and time(8) <= start.time() and end.time() <= time(16)


def touches_office(start, end, region):
    day = start.date()
    while day <= end.date():
        if is_working(day, region):
            zone = start.tzinfo
            opens, closes = datetime.combine(day, time(8), zone), datetime.combine(day, time(18), zone)
            if start < closes and opens < end:
                return True
        day += timedelta(days=1)
    return False


def check(row, client):
    region, problems = client["holidays"], []
    zone = ZoneInfo(row["zone"])

    def local(text):
        return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(zone)

    start, end = local(row["slot"]["start"]), local(row["slot"]["end"])
    published = local(row["published_at"])
    if row["product"] not in client["order"]:
        problems.append("out-of-scope: the order does not name the product")
    if touches_office(start, end, region):
        problems.append("office-hours: the slot overlaps office hours")
    if not row["reasons"]:
        problems.append("no reason is given")
    if start < published:
        problems.append("the slot begins before publication")
    ran = row["started_at"] and local(row["started_at"])
    done = row["finished_at"] and local(row["finished_at"])
    if ran and not start <= ran < end:
        problems.append(f"started at {ran}, outside its slot")
    if row["state"] in ("installed", "rolled_back") and not (done and ran <= done <= end):
        problems.append(f"finished at {done}, outside its slot")
    if row["change"] == "major" or row["manual"]:
        if not in_maintenance(start, end):
            problems.append("maintenance-slots: not Mon-Fri 20-22 or Sat 08-16")
    else:
        night = start.time() >= time(22) or start.time() < time(7)
        if not (night and end.time() <= time(7) and end - start <= timedelta(hours=10)):
            problems.append("minor-night: the slot is not a night")
        deadline = datetime.combine(published.date() + timedelta(days=2), time(7), zone)
        if row["deadline"] is None or local(row["deadline"]) != deadline:
            problems.append(f"minor-night: deadline {row['deadline']} is not {deadline}")
        if row["state"] == "installed" and row["on_time"] != (done <= deadline):
            problems.append("minor-night: on_time does not say what happened")
        if end > deadline and not any(r["rule"] for r in row["reasons"]):
            problems.append("minor-night: late without a reason")
    if row["change"] == "major":
        request = row["request"]
        if not request:
            problems.append("major-on-request: no request")
        else:
            before = date.fromisoformat(request["before"])
            if before < earliest(local(request["received_at"]), region):
                problems.append("major-notice: under 5 working days")
            if end.date() > before:
                problems.append("major-notice: the slot ends after the latest date")
    return problems


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = json.load(open(sys.argv[1], encoding="utf-8"))
    clients = {c["id"]: c for c in tomllib.load(open(sys.argv[2], "rb"))["client"]}
    failed = 0
    for row in rows:
        for problem in check(row, clients[row["client"]]):
            failed += 1
            print(f"{row['server']} {row['product']} {row['to']} {row['state']}: {problem}")
    installed = sum(r["state"] == "installed" for r in rows)
    if not installed or not any(r["change"] == "major" and r["state"] == "installed" for r in rows):
        failed += 1
        print("the history holds no installation, or no installed major: nothing was proven")
    print(f"{len(rows)} deployments checked, {installed} installed, {failed} violations")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
