"""Owns what a hub's operator does: members, charter, sums.

Must not know what an answer looks like: client.py holds it against the document.
"""
import json
import time

from act_agent import expect
from client import Client
from town import until


def members(hub):
    expect(len(hub.ask("GET", "/v1/members").body) == 3, "there are three members")
    at = {"name": "Nieuwe Start"}
    agent = hub.ask("GET", "/v1/members/{name}", params=at)["agents"][0]["key"]
    hub.ask("GET", "/v1/members/{name}", params={"name": "Nobody"}, want=404)
    for verb, body in (("suspend", {"reason": "unpaid"}), ("resume", None), ("suspend", {}),
                       ("resume", {"reason": None})):
        hub.ask("POST", "/v1/members/{name}/" + verb, body, params=at)
    for verb in ("suspend", "resume", "remove"):
        path = "/v1/members/{name}/" + verb
        hub.ask("POST", path, {"reason": "x" * 129}, params=at, want=422)
        hub.ask("POST", path, params={"name": "Nobody"}, want=404)
    hub.ask("POST", "/v1/members/{name}/resume", params=at, want=409)
    revoke = "/v1/members/{name}/revoke"
    hub.ask("POST", revoke, {"agent": "ab" * 32}, params=at, want=404)
    hub.ask("POST", revoke, {"agent": "1234"}, params=at, want=422)
    hub.ask("POST", revoke, {"agent": agent, "reason": "stolen"}, params=at)
    hub.ask("POST", revoke, {"agent": agent}, params=at, want=409)
    hub.ask("POST", "/v1/members/{name}/remove", {"reason": "at its own request"}, params=at)
    for verb in ("suspend", "remove"):
        hub.ask("POST", "/v1/members/{name}/" + verb, params=at, want=409)


def invitations(hub):
    soon_ms = int(time.time() * 1000) + 3600000
    hub.ask("POST", "/v1/invitations", {"name": "Oost", "role": "observer", "expires_ms": soon_ms})
    hub.ask("POST", "/v1/invitations", {"name": "Oost"}, want=409)
    hub.ask("POST", "/v1/invitations", {"name": "Oost", "again": True})
    hub.ask("POST", "/v1/invitations", {"name": "De Haven", "again": True}, want=409)
    hub.ask("POST", "/v1/invitations", {"name": "West", "role": "boss"}, want=422)
    hub.ask("POST", "/v1/invitations", {"name": "West", "expires_ms": 1}, want=422)


def sums(hub):
    until("the hub adds three members up", lambda: any(
        row["members"] == 3 for row in hub.ask("GET", "/v1/aggregate").body))
    query = {"service": "night-shelter", "from": "2026-11-01"}
    hub.ask("GET", "/v1/aggregate", query={"service": "home-care", "region": "noord"})
    expect(hub.ask("GET", "/v1/aggregate", query=query)["rows"], "there are days")
    hub.ask("GET", "/v1/coverage")
    for path in ("/v1/aggregate", "/v1/published", "/v1/public/aggregate"):
        hub.ask("GET", path, query={"service": "beds"}, want=404)
        hub.ask("GET", path, query={"to": "2026-11-01"}, want=400)
        hub.ask("GET", path, query={"from": "yesterday"}, want=422)
    publish = "/v1/published"
    hub.ask("GET", publish)
    shown = hub.ask("POST", publish, {})
    expect({row["suppressed"] for row in shown["rows"]} == {False, True}, f"shown: {shown.text}")
    hub.ask("POST", publish, query)
    hub.ask("POST", publish, {"to": "2026-11-01"}, want=400)
    hub.ask("POST", publish, {"service": "beds"}, want=404)
    hub.ask("POST", publish, {"from": "yesterday"}, want=422)
    hub.ask("GET", publish, query=query)
    expect(hub.ask("GET", "/v1/public/aggregate")["k"] == 3, "the charter names no k: it is 3")
    hub.ask("GET", "/v1/public/aggregate", query=query)


def charter(hub):
    now = hub.ask("GET", "/v1/charter").body
    text = json.dumps({key: value for key, value in now.items() if key != "version"})
    hub.ask("POST", "/v1/charter", {"text": text, "file": "charter.json"})
    fewer = {**now, "services": now["services"][:2], "k": 2}
    expect(hub.ask("POST", "/v1/charter", {"text": json.dumps(fewer)})["dropped"],
           "a service was dropped")
    hub.ask("POST", "/v1/charter", {"text": "{}"}, want=422)
    expect(hub.ask("GET", "/v1/public/aggregate")["k"] == 2, "the charter's k is 2")
    hub.ask("GET", "/v1/charter")


def run(hub, agents):
    hub.ask("GET", "/v1/status")
    sums(hub)
    invitations(hub)
    members(hub)
    charter(hub)
    hub.ask("GET", "/v1/status")
    Client(hub.contract, "hub", hub.web).ask("GET", "/healthz")
    until("De Haven has the new charter",
          lambda: agents["De Haven"].ask("GET", "/v1/charter")["version"] > 1)
