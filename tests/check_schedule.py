#!/usr/bin/env python3
"""Checks `noctule schedule slots` and `schedule notice` on random sites and dates, sharing no code with Noctule.

Usage: check_schedule.py NOCTULE SCHEDULE.toml [CASES [SEED]]
SCHEDULE.toml is the contract Pro Controle. Zones come from Python's zoneinfo, holidays from the code of work as written
below, Easter from Gauss's method. For slots, each case writes a window of its own (days, hours, holidays or not) into a
copy of the contract; for notices, the contract's own terms are counted (5 working days, received until 22:00).
Exits 1 and names every case that differs; a seed makes the same cases again.
"""
import json
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

UTC = timezone.utc
# Zones whose rules have long been settled, so that two editions of the zone database agree on them.
ZONES = """Europe/Paris Europe/London Europe/Berlin Europe/Lisbon Atlantic/Azores America/New_York America/St_Johns
America/Havana America/Martinique America/Guadeloupe America/Cayenne America/Miquelon America/Marigot
America/St_Barthelemy Indian/Reunion Indian/Mayotte Pacific/Noumea Pacific/Tahiti Pacific/Marquesas Pacific/Wallis
Pacific/Auckland Pacific/Chatham Australia/Lord_Howe Asia/Kathmandu Asia/Tokyo Pacific/Kiritimati Pacific/Pago_Pago
UTC""".split()
REGIONS = "FR FR-ALS FR-971 FR-972 FR-973 FR-974 FR-975 FR-976 FR-977 FR-978".split()
# The day that commemorates the abolition of slavery (decree 83-1003, code of work L3422-2).
ABOLITION = {"FR-971": (27, 5), "FR-972": (22, 5), "FR-973": (10, 6), "FR-974": (20, 12), "FR-976": (27, 4),
             "FR-977": (9, 10), "FR-978": (28, 5)}
DAYS = "Mo Tu We Th Fr Sa Su".split()


def easter(year):
    """Gauss, with the corrections that hold for the Gregorian calendar."""
    a, b, c = year % 19, year % 4, year % 7
    k = year // 100
    p, q = (13 + 8 * k) // 25, k // 4
    m, n = (15 - p + k - q) % 30, (4 + k - q) % 7
    d = (19 * a + m) % 30
    e = (2 * b + 4 * c + 6 * d + n) % 7
    if (d, e) == (29, 6) or (d, e) == (28, 6) and (11 * m + 11) % 30 < 19:
        return date(year, 3, 22) + timedelta(days=d + e - 7)
    return date(year, 3, 22) + timedelta(days=d + e)


@lru_cache(maxsize=None)
def holidays(year, region):
    fixed = [(1, 1), (1, 5), (8, 5), (14, 7), (15, 8), (1, 11), (11, 11), (25, 12)]
    moving = [1, 39, 50]
    if region == "FR-ALS":
        fixed.append((26, 12))
        moving.append(-2)
    if region in ABOLITION:
        fixed.append(ABOLITION[region])
    return {date(year, m, d) for d, m in fixed} | {easter(year) + timedelta(days=n) for n in moving}


def is_holiday(day, region):
    return day in holidays(day.year, region)


def instants(civil, zone):
    """The first and the last instant that a civil time may be; of one that is skipped, the instant of the jump."""
    both = [civil.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]
    if both[0] <= both[1]:
        return both
    before, after = both[1] - timedelta(days=1), both[0] + timedelta(days=1)
    first = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        half = before + (after - before) / 2
        half = half.replace(microsecond=0)
        if half.astimezone(zone).utcoffset() == first:
            before = half
        else:
            after = half
    return [after, after]


def slots(window, zone, region, start, end):
    """The slots of a window that touch a span: on the safe side where the clock changes, none when nothing is left."""
    found = []
    day = start.astimezone(zone).date() - timedelta(days=2)
    while day <= end.astimezone(zone).date() + timedelta(days=1):
        if day.weekday() in window["days"] and not (window["but_holidays"] and is_holiday(day, region)):
            first = datetime.combine(day, window["from"])
            over = window["to"] <= window["from"]
            last = datetime.combine(day + timedelta(days=over), window["to"])
            opens, closes = instants(first, zone)[1], instants(last, zone)[0]
            if opens < closes and opens < end and start < closes:
                found.append((opens, closes))
        day += timedelta(days=1)
    return found


def notice(received, zone, region):
    """Day 0 and the fifth working day after it (3.1.b.4; the service ends at 22:00, 6.1.1)."""
    def working(day):
        return day.weekday() < 5 and not is_holiday(day, region)

    def after(day):
        day += timedelta(days=1)
        while not working(day):
            day += timedelta(days=1)
        return day

    local = received.astimezone(zone)
    day = local.date()
    if not working(day) or local.time() >= time(22):
        day = after(day)
    counted = []
    while len(counted) < 5:
        counted.append(after(counted[-1] if counted else day))
    return day, counted


def quarter(rng, first=0, last=95):
    at = rng.randint(first, last)
    return time(at // 4, at % 4 * 15)


def random_window(rng):
    days = sorted(rng.sample(range(7), rng.randint(1, 7)))
    # Every other window meets the hours in which clocks change.
    opens = quarter(rng, 0, 14) if rng.random() < 0.5 else quarter(rng)
    closes = opens
    while closes == opens or closes == time(0):
        closes = quarter(rng, 0, 20) if rng.random() < 0.5 else quarter(rng)
    return {"days": days, "from": opens, "to": closes, "but_holidays": rng.random() < 0.5}


def hours(window):
    days = ",".join(DAYS[day] for day in window["days"])
    span = f"{window['from']:%H:%M}-{window['to']:%H:%M}"
    if not window["but_holidays"]:
        return f"{days} {span}"
    # A night is cancelled whole only by its own hours.
    over = window["to"] <= window["from"]
    return f"{days} {span}; PH {span} off" if over else f"{days} {span}; PH off"


def random_day(rng):
    """Any day, more often one at an edge: a change of the clock, a holiday, the end of February or of a year."""
    year = rng.randint(2008, 2036)
    kind = rng.random()
    if kind < 0.25:
        month = rng.choice([3, 10, 11])
        return date(year, month, 1) + timedelta(days=rng.randint(0, 29))
    if kind < 0.5:
        return rng.choice(sorted(holidays(year, rng.choice(REGIONS)))) + timedelta(days=rng.randint(-8, 1))
    if kind < 0.6:
        return date(year, 12, 22) + timedelta(days=rng.randint(0, 14))
    if kind < 0.7:
        return date(year, 2, 20) + timedelta(days=rng.randint(0, 12))
    return date(year, 1, 1) + timedelta(days=rng.randint(0, 364))


def random_time(rng):
    if rng.random() < 0.4:
        return rng.choice([time(21, 59, 59), time(22), time(22, 0, 1), time(23, 59, 59), time(0), time(0, 0, 1)])
    return time(rng.randint(0, 23), rng.randint(0, 59), rng.randint(0, 59))


def written(at):
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def ask(noctule, *words):
    done = subprocess.run([noctule, "schedule", *words, "--format", "json"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"noctule schedule {' '.join(words)}: {done.stderr}")
    return json.loads(done.stdout)


def check_slots(noctule, case, path):
    window, zone, region, start, end, local = case
    bounds = [f"{start:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}"] if local else [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (start, end)]
    got = ask(noctule, "slots", path, "--window", "random", "--from", bounds[0], "--to", bounds[1],
              "--zone", zone, "--holidays", region)
    tz = ZoneInfo(zone)
    if local:
        start, end = instants(start, tz)[0], instants(end, tz)[1]
    else:
        start, end = start.replace(tzinfo=UTC), end.replace(tzinfo=UTC)
    expected = [{"start": written(a), "end": written(b), "minutes": int((b - a).total_seconds()) // 60}
                for a, b in slots(window, tz, region, start, end)]
    if got != expected:
        extra = [s for s in got if s not in expected]
        missing = [s for s in expected if s not in got]
        return f"slots of {hours(window)!r} in {zone} ({region}) from {start} to {end}: extra {extra}, missing {missing}"
    return len(got)


def check_notice(noctule, case, path):
    zone, region, civil = case
    tz = ZoneInfo(zone)
    received = instants(civil, tz)[0]
    day, counted = notice(received, tz, region)
    expected = {"counted_from": str(day), "earliest": str(counted[-1]), "days": [str(day) for day in counted]}
    got = ask(noctule, "notice", path, "--received", f"{civil:%Y-%m-%dT%H:%M:%S}", "--zone", zone, "--holidays", region)
    got.pop("skipped")
    if got != expected:
        return f"notice received {civil} in {zone} ({region}): {got}, expected {expected}"
    return 1


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    noctule, contract = sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8")
    cases = int(sys.argv[3]) if len(sys.argv) > 3 else 300
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(10**6)
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        windows = []
        for i in range(max(20, cases // 4)):
            window = random_window(rng)
            path = Path(folder) / f"contract{i}.toml"
            path.write_text(f'{contract}\n[windows.random]\nhours = "{hours(window)}"\nclause = "x"\n', encoding="utf-8")
            windows.append((window, str(path)))
        jobs = []
        for _ in range(cases):
            zone, region, day = rng.choice(ZONES), rng.choice(REGIONS), random_day(rng)
            start = datetime.combine(day, random_time(rng)).replace(second=0)
            end = start + timedelta(days=rng.choice([1, 1, 2, 2, 7, 7, 30, 30, 30, 370]), minutes=rng.randint(0, 1440))
            window, path = rng.choice(windows)
            jobs.append((check_slots, (window, zone, region, start, end, rng.random() < 0.5), path))
            zone, region = rng.choice(ZONES), rng.choice(REGIONS)
            civil = datetime.combine(random_day(rng), random_time(rng))
            jobs.append((check_notice, (zone, region, civil), rng.choice(windows)[1]))
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda job: job[0](noctule, job[1], job[2]), jobs))
    wrong = [answer for answer in answers if isinstance(answer, str)]
    compared = sum(answer for answer in answers if isinstance(answer, int))
    print("\n".join(wrong))
    print(f"seed {seed}: {len(jobs)} questions, {compared} slots and notices compared, {len(wrong)} differ")
    sys.exit(1 if wrong or compared < cases else 0)


if __name__ == "__main__":
    main()
