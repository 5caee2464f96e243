"""Owns what an organisation does: sites, figures, places, tables, sharing, looking.

Must not know what an answer looks like: client.py holds it against the document.
"""
import base64
import json

from client import Wrong
from town import until


def expect(is_so, what):
    if not is_so:
        raise Wrong(what)


def sites(a):
    a.ask("POST", "/v1/sites", {"name": "Annex", "region": "noord"})
    a.ask("POST", "/v1/sites", {"name": "Annex"}, want=409)
    a.ask("POST", "/v1/sites", {"name": "x" * 81}, want=422)
    a.ask("PUT", "/v1/sites/{name}", {"phone": "+31 50 000 0001", "reports": "mo-fr 08:00-17:00"},
          params={"name": "Annex"})
    a.ask("PUT", "/v1/sites/{name}", {"phone": "call us"}, want=422, params={"name": "Annex"})
    a.ask("PUT", "/v1/sites/{name}", {"phone": "1"}, want=404, params={"name": "Nowhere"})
    a.ask("PUT", "/v1/sites", {"name": "North / South"}, query={"site": "Annex"})
    a.ask("PUT", "/v1/sites", {"name": "Annex", "region": None}, query={"site": "North / South"})
    a.ask("PUT", "/v1/sites", {"name": "Annex"}, want=400)
    a.ask("PUT", "/v1/sites", {"name": "De Haven"}, want=409, query={"site": "Annex"})
    a.ask("PUT", "/v1/sites/{name}", {"name": "De Haven"}, want=409, params={"name": "Annex"})
    found = a.ask("GET", "/v1/sites")
    expect([s["name"] for s in found.body] == ["De Haven", "Annex"], f"sites are {found.text}")


def lines(a):
    at = {"site": "De Haven", "service": "night-shelter"}
    line = a.ask("POST", "/v1/lines", {**at, "set": {"free": 3, "occupied": "17", "gender": "any"}})
    line = a.ask("POST", "/v1/lines", {**at, "keep": True, "revision": line["revision"], "set": {
        "total": 22, "held": 1, "blocked": 1, "blocked_reason": "staff", "need": None,
        "blocked_until": "2099-01-01T00:00:00Z", "next_free": "2099-01-01T00:00:00Z",
        "status": "admitting", "note": "intake until 22:00"}})
    a.ask("POST", "/v1/lines", {**at, "revision": 1, "set": {"free": 1}}, want=409, code="conflict")
    a.ask("POST", "/v1/undo", {**at, "revision": line["revision"]})
    a.ask("POST", "/v1/undo", at)
    a.ask("POST", "/v1/undo", {**at, "revision": 1}, want=409)
    a.ask("POST", "/v1/lines", {**at, "ward": "women", "set": {"gender": "women"}})
    a.ask("POST", "/v1/lines", {"site": "Annex", "service": "home-care", "valid": "12h",
                                "observed": "2026-01-01T10:00:00+01:00", "set": {"free": "15.5"}})
    a.ask("POST", "/v1/lines", {"site": "Annex", "service": "home-care", "set": {"free": "15.5"}})
    a.ask("POST", "/v1/lines", {"service": "night-shelter", "set": {"free": 1}}, want=400)
    a.ask("POST", "/v1/lines", {**at, "set": {"free": "many"}}, want=422)
    a.ask("POST", "/v1/lines", {**at, "site": "Nowhere", "set": {"free": 1}}, want=404)
    a.ask("POST", "/v1/lines", {**at, "service": "beds", "set": {"free": 1}}, want=422)
    a.ask("POST", "/v1/confirm", {})
    a.ask("POST", "/v1/confirm", {**at, "all": True, "ward": ""})
    a.ask("POST", "/v1/confirm", {"service": "crisis-bed"}, want=404)
    a.ask("POST", "/v1/confirm", {**at, "revision": 1}, want=409)
    a.ask("POST", "/v1/undo", {"site": "Annex", "service": "crisis-bed"}, want=404)
    expect(len(a.ask("GET", "/v1/lines").body) == 3, "there are three lines")
    a.ask("GET", "/v1/lines", query={"service": "home-care", "site": "Annex"})
    for path in ("/v1/lines", "/v1/places"):
        a.ask("GET", path, query={"site": "Nowhere"}, want=404)
        a.ask("GET", path, query={"site": ""}, want=400)  # there are two


def places(a):
    at = {"site": "De Haven", "service": "crisis-bed", "ward": "north", "code": "K1"}
    a.ask("POST", "/v1/places", at)
    a.ask("POST", "/v1/places", at, want=409)
    a.ask("POST", "/v1/places", {**at, "service": "home-care"}, want=422)
    a.ask("POST", "/v1/places", {**at, "site": "Nowhere"}, want=404)
    a.ask("POST", "/v1/places", {**at, "code": "K2", "set": {"state": "blocked", "reason": "damp"}})
    a.ask("PUT", "/v1/places", {**at, "set": {"state": "held", "reason": "intake", "note": "call",
                                             "until": "2099-01-01T00:00:00Z"}})
    a.ask("PUT", "/v1/places", {**at, "set": {"state": "asleep"}}, want=422)
    a.ask("PUT", "/v1/places", {**at, "code": "K9"}, want=404)
    expect(len(a.ask("GET", "/v1/places").body) == 2, "there are two places")
    a.ask("GET", "/v1/places", query={"service": "crisis-bed", "site": "De Haven", "ward": "north"})
    a.ask("DELETE", "/v1/places", {**at, "code": "K2"})
    a.ask("DELETE", "/v1/places", {**at, "code": "K2"}, want=404)
    a.ask("POST", "/v1/lines", {"site": "De Haven", "service": "crisis-bed", "ward": "north",
                                "set": {"free": 4}}, want=422)


PROFILE = {"format": 1, "service": "crisis-bed", "ward": {"column": "ward"},
           "columns": {"free": "free"}, "date": {"column": "day", "format": "iso"}}
TABLE = "ward,free,day\nsouth,2,2026-11-01\nsouth,3,2026-11-02\nwest,1,2026-11-02\n"
PLACES = {"format": 1, "service": "crisis-bed", "ward": {"column": "ward"},
          "place": {"column": "room", }, "columns": {"state": "state"}, "complete": True}


def imports(a):
    profile = json.dumps(PROFILE)
    whole = {"text": TABLE, "profile": profile, "site": "Annex", "file": "beds.csv"}
    report = a.ask("POST", "/v1/import", {**whole, "dry_run": True})
    expect(report["new"] == 2 and report["superseded"] == 1, f"the report is {report.text}")
    a.ask("POST", "/v1/import", {**whole, "history": True})
    a.ask("POST", "/v1/import", {**whole, "where": ["ward=south"]})
    a.ask("POST", "/v1/import", {**whole, "where": ["ward"]}, want=400)
    a.ask("POST", "/v1/import", {**whole, "text": "ward;free\n"}, want=422)
    a.ask("POST", "/v1/import", {**whole, "site": "Nowhere"}, want=404)
    wards = "".join(f"w{i},1,2026-11-01\n" for i in range(4001))
    a.ask("POST", "/v1/import", {**whole, "text": "ward,free,day\n" + wards}, want=413)
    places_of = {"profile": json.dumps(PLACES), "site": "De Haven", "places": True}
    a.ask("POST", "/v1/import", {**places_of, "text": "ward,room,state\nnorth,K7,free\n"})

    begun = a.ask("POST", "/v1/imports", {"profile": profile, "site": "Annex", "history": True})
    at, data = {"id": begun["id"]}, base64.b64encode(TABLE.encode()).decode()
    a.ask("PUT", "/v1/imports/{id}", {"offset": 0, "data": data}, params=at)
    a.ask("PUT", "/v1/imports/{id}", {"offset": 0, "data": data}, params=at, want=409)
    a.ask("PUT", "/v1/imports/{id}", {"offset": len(TABLE), "data": "%"}, params=at, want=422)
    a.ask("POST", "/v1/imports/{id}/commit", params=at)
    a.ask("POST", "/v1/imports/{id}/commit", params=at, want=404)
    a.ask("PUT", "/v1/imports/{id}", {"offset": 0, "data": data}, params=at, want=404)
    begun = a.ask("POST", "/v1/imports", {"profile": profile, "site": "Annex"})
    a.ask("POST", "/v1/imports/{id}/commit", params={"id": begun["id"]}, want=422)  # no table
    a.ask("POST", "/v1/imports", {"profile": "{}"}, want=422)
    begun = [a.ask("POST", "/v1/imports", {"profile": profile, "site": "Annex"})["id"]
             for _ in range(4)]
    a.ask("POST", "/v1/imports", {"profile": profile, "site": "Annex"}, want=503, code="busy")
    for one in begun:
        a.ask("DELETE", "/v1/imports/{id}", params={"id": one})
    a.ask("DELETE", "/v1/imports/{id}", params={"id": begun[0]}, want=404)


def exports(a):
    for what in ("lines", "picture", "history"):
        for how in ("excel-nl", "rfc4180"):
            table = a.ask("GET", "/v1/export", query={"what": what, "format": how})
            expect("night-shelter" in table["text"], f"{what} as {how} is {table.text[:300]}")
    a.ask("GET", "/v1/export")
    a.ask("GET", "/v1/export", query={"what": "history", "partners": 1, "from": "2026-11-01"})
    a.ask("GET", "/v1/export", query={"what": "history", "partner": "Het Baken"})
    a.ask("GET", "/v1/export", query={"what": "history", "site": "Annex", "after":
                                      '["",2,"crisis-bed","south",0]'})
    a.ask("GET", "/v1/export", query={"after": "x"}, want=400)
    a.ask("GET", "/v1/export", query={"what": "history", "after": "x"}, want=422)
    a.ask("GET", "/v1/export", query={"what": "history", "partner": "Nobody"}, want=404)
    a.ask("GET", "/v1/export", query={"format": "pdf"}, want=422)


def policies(a):
    expect(a.ask("GET", "/v1/policy")["version"] == 0, "a new agent has no policy")
    a.ask("GET", "/v1/policy/check")
    a.ask("POST", "/v1/withdraw", {}, want=404)
    a.ask("POST", "/v1/policy", {"suggested": True})
    policy = {"audiences": [
        {"name": "hub", "members": ["@hub"], "services": ["*"], "precision": "exact",
         "history": True},
        {"name": "partners", "members": ["Het Baken"], "services": ["*"], "precision": "exact",
         "history": True},
        {"name": "further", "members": ["Nieuwe Start"], "services": ["night-shelter"],
         "precision": "band", "bands": [1, 2, 5]}]}
    text = json.dumps(policy)
    dry = a.ask("POST", "/v1/policy", {"policy": text, "base_version": 1}, query={"dry_run": 1})
    expect(dry["applied"] is None and dry["changes"]["added"], f"a dry run is {dry.text}")
    a.ask("POST", "/v1/policy", {"policy": text, "file": "policy.json"})
    expect(a.ask("POST", "/v1/policy", {"policy": text})["unchanged"], "the same is no change")
    a.ask("POST", "/v1/policy", {"policy": text, "base_version": 1}, want=409, code="conflict")
    a.ask("POST", "/v1/policy", {"policy": text, "suggested": True}, want=400)
    a.ask("POST", "/v1/policy", {}, want=400)
    a.ask("POST", "/v1/policy", {"policy": "{"}, want=422)
    a.ask("POST", "/v1/policy", {"policy": text + " " * 2**20}, want=413)
    a.ask("POST", "/v1/policy", {"policy": text.replace("Het Baken", "Nobody")}, want=404)
    policy["audiences"][2]["precision"] = "light"
    del policy["audiences"][2]["bands"]
    policy["audiences"][2]["services"] = ["night-shelter", "home-care"]
    changed = a.ask("POST", "/v1/policy", {"policy": json.dumps(policy)})
    expect(changed["changes"]["changed"][0]["precision"]["to"] == "light", changed.text)
    a.ask("GET", "/v1/policy/check")
    a.ask("GET", "/v1/policy")


def partners(a):
    rows = a.ask("GET", "/v1/partners").body
    at = {"name": "Het Baken"}
    a.ask("POST", "/v1/partners/{name}/approve", {"fingerprint": "AAAA-BBBB"}, params=at, want=409,
          code="fingerprint")
    for row in rows:
        a.ask("POST", "/v1/partners/{name}/approve", {"fingerprint": row["fingerprint"]},
              params={"name": row["key"]})
    a.ask("POST", "/v1/partners/{name}/approve", params={"name": "@hub"})
    a.ask("POST", "/v1/partners/{name}/approve", params={"name": "De Haven"}, want=400)
    a.ask("POST", "/v1/partners/{name}/approve", params={"name": "Nobody"}, want=404)
    a.ask("POST", "/v1/partners/{name}/refuse", params={"name": "Nieuwe Start"})
    a.ask("POST", "/v1/partners/{name}/refuse", params={"name": "@hub"}, want=400)
    a.ask("POST", "/v1/partners/{name}/refuse", params={"name": "Nobody"}, want=404)
    a.ask("GET", "/v1/partners")
    a.ask("POST", "/v1/partners/{name}/forget", params={"name": "Nieuwe Start"})
    a.ask("POST", "/v1/partners/{name}/forget", params={"name": "Nobody"}, want=404)
    a.ask("POST", "/v1/partners/{name}/approve", {}, params={"name": "Nieuwe Start"})
    for viewer in ("Het Baken", "@hub", "Nieuwe Start"):
        rows = a.ask("GET", "/v1/policy/preview", query={"partner": viewer}).body
        expect(rows, f"{viewer} finds nothing")
    a.ask("GET", "/v1/policy/preview", query={"partner": "Nobody"}, want=404)
    a.ask("GET", "/v1/policy/preview", want=400)


def share(agents):
    """Each partner shares at a precision of its own, and De Haven sees both."""
    haven = agents["De Haven"]
    for name, precision in (("Het Baken", "rounded:2"), ("Nieuwe Start", "band")):
        a = agents[name]
        a.ask("POST", "/v1/partners/{name}/approve", params={"name": "De Haven"})
        a.ask("POST", "/v1/lines", {"service": "night-shelter", "set": {
            "free": 5, "status": "consult", "gender": "any"}})
        a.ask("POST", "/v1/lines", {"service": "home-care", "set": {"free": "7.5"}})
        a.ask("POST", "/v1/policy", {"policy": json.dumps({"audiences": [
            {"name": "others", "members": ["De Haven", "@hub"], "services": ["*"],
             "precision": precision, "history": True}]})})
    # Observed long ago: expired as soon as it comes.
    agents["Nieuwe Start"].ask("POST", "/v1/lines", {
        "service": "crisis-bed", "observed": "2026-01-01T00:00:00Z", "set": {"free": 1}})
    until("De Haven sees both", lambda: len(haven.ask("GET", "/v1/find").body) == 5)
    until("and their history", lambda: len({r["member"] for r in
                                            haven.ask("GET", "/v1/history").body}) == 3)
    until("Het Baken sees De Haven", lambda: agents["Het Baken"].ask("GET", "/v1/find").body)


def looking(a):
    a.ask("GET", "/v1/find", query={"service": "night-shelter", "min": 1, "where": "gender=any"})
    a.ask("GET", "/v1/find", query={"service": "beds"}, want=404)
    a.ask("GET", "/v1/find", query={"min": "some"}, want=422)
    page = a.ask("GET", "/v1/room", query={"taking": 1, "limit": 1, "offset": 1})
    expect(page["total"] == 4 and len(page["rows"]) == 1, f"the page is {page.text}")
    a.ask("GET", "/v1/room", query={"service": "beds"}, want=404)
    a.ask("GET", "/v1/room", query={"where": "gender"}, want=422)
    a.ask("GET", "/v1/history", query={"own": 1, "from": "2026-11-01", "to": "2099-01-01"})
    a.ask("GET", "/v1/history", query={"member": "Het Baken", "service": "night-shelter"})
    a.ask("GET", "/v1/history", query={"member": "Het Baken", "own": 1}, want=400)
    a.ask("GET", "/v1/history", query={"member": "Nobody"}, want=404)
    a.ask("GET", "/v1/history", query={"from": "yesterday"}, want=422)
    expect(a.ask("GET", "/v1/status")["hub"]["connected"], "the agent is connected")
    a.ask("GET", "/v1/alarms")
    a.ask("GET", "/v1/charter")


def taking_back(a):
    a.ask("POST", "/v1/pause")
    a.ask("POST", "/v1/pause", {"undo": True, "dry_run": True})
    a.ask("GET", "/v1/policy/check")
    a.ask("POST", "/v1/pause", {"undo": True})
    a.ask("POST", "/v1/pause", {"audience": "further"})
    a.ask("POST", "/v1/pause", {"audience": "further", "undo": True})
    a.ask("POST", "/v1/pause", {"audience": "nobody"}, want=404)
    a.ask("POST", "/v1/withdraw", {"audience": "partners", "dry_run": True})
    a.ask("POST", "/v1/withdraw", {"audience": "partners"})
    a.ask("POST", "/v1/withdraw", {"audience": "nobody"}, want=404)
    a.ask("POST", "/v1/pause", {"audience": "further"})
    until("the withdrawal went", lambda: a.ask("GET", "/v1/status")["withdrawn"][0]["sent"])
    a.ask("GET", "/v1/policy")
    a.ask("POST", "/v1/withdraw", {"undo": True})
    a.ask("POST", "/v1/withdraw")
    a.ask("POST", "/v1/withdraw", {"undo": True})


def journal(a):
    page, events = {"next": 0}, set()
    while page["next"] is not None:
        page = a.ask("GET", "/v1/audit", query={"limit": 3, "after": page["next"]})
        events |= {row["event"] for row in page["rows"]}
    wanted = {"state", "history", "keys", "policy", "approved", "refused", "forgotten", "withdrawn",
              "withdrawal", "resumed", "paused"}
    expect(events == wanted, f"the journal has {events}, expected {wanted}")
    a.ask("GET", "/v1/audit", query={"partner": "Het Baken", "from": "2026-11-01"})
    a.ask("GET", "/v1/audit", query={"partner": "Nobody"}, want=404)
    a.ask("GET", "/v1/audit", query={"to": "soon"}, want=422)


def keys(a, other):
    a.ask("GET", "/v1/request")
    a.ask("GET", "/v1/request", query={"label": "East"})
    a.ask("GET", "/v1/request", query={"label": "x" * 65}, want=422)
    own = a.ask("GET", "/v1/status")["agent"]
    a.ask("GET", "/v1/certify", query={"agent": own})
    a.ask("GET", "/v1/certify", query={"agent": "1234"}, want=400)
    a.ask("GET", "/v1/certify", query={"agent": other.ask("GET", "/v1/status")["agent"]}, want=409)
    a.ask("POST", "/v1/keys/renew")


def run(agents):
    haven = agents["De Haven"]
    sites(haven)
    lines(haven)
    places(haven)
    imports(haven)
    policies(haven)
    partners(haven)
    share(agents)
    looking(haven)
    exports(haven)
    taking_back(haven)
    journal(haven)
    keys(haven, agents["Het Baken"])
