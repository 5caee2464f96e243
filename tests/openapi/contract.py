#!/usr/bin/python3
"""Owns the proof that running daemons answer as docs/openapi says: a hub and three agents, every route,
over the socket and over HTTP, each answer held against its schema with no member more.

usage: contract.py PROGRAMS FOLDER: where plek-hub and plek-agent are, and the folder of the documents.
"""
import sys

import act_agent
import act_hub
import act_login
import refusals
from client import Client, Contract, Wrong
from town import Town, until

CHARTER = {
    "format": 1,
    "name": "Noord",
    "purpose": {"nl": "Plekken delen", "en": "Sharing places"},
    "keep_days": 35,
    "services": [
        {"code": "night-shelter", "label": {"nl": "Nachtopvang", "en": "Night shelter"},
         "unit": "place", "validity": "24h", "light": {"green": 2, "orange": 1},
         "attributes": [{"name": "gender", "label": "Gender",
                         "values": ["any", {"code": "women", "label": {"en": "women only"}}]}]},
        {"code": "home-care", "unit": "hour", "period": "week", "decimals": 1, "validity": "12h"},
        {"code": "crisis-bed", "unit": "bed"},
    ],
    "suggested_policy": {"audiences": [
        {"name": "hub", "members": ["@hub"], "services": ["*"], "precision": "exact"}]},
}
# Operations that nothing here makes answer with 200, each with why.
UNTRIED = {}


def build(town, contract):
    """The network: the hub's client, and the agents' by name."""
    address = town.start_hub(CHARTER, "public = yes")
    hub = Client(contract, "hub", town.socket("hub"))
    hub.web = address
    agents = {}
    for name in ("De Haven", "Het Baken", "Nieuwe Start"):
        made = hub.ask("POST", "/v1/invitations", {"name": name, "address": f"ws://{address}"})
        web = town.start_agent(name, made["uri"])
        agents[name] = Client(contract, "agent", town.socket(name))
        agents[name].web = web
    for agent in agents.values():
        until("all know each other",
              lambda a=agent: len(a.ask("GET", "/v1/partners", want=None).body or []) == 2)
    return hub, agents


def coverage(contract):
    """What was not seen, as texts."""
    for key, operation in contract.operations.items():
        seen = contract.seen.get(operation, set())
        if 200 not in seen and key not in UNTRIED:
            yield f"{operation}: never answered with 200 here, only {sorted(seen)}"
        if 200 in seen and key in UNTRIED:
            yield f"{operation}: answered with 200, so it is not untried"


def summary(contract):
    documented = seen = 0
    for operation in contract.operations.values():
        errors = {int(s) for s in operation.node["responses"] if s not in ("200", "default")}
        documented += len(errors)
        seen += len(errors & contract.seen.get(operation, set()))
    done = sum(200 in statuses for statuses in contract.seen.values())
    return (f"{done} of {len(contract.operations)} operations answered as documented, "
            f"{seen} of {documented} documented refusals seen")


def main():
    programs, folder = sys.argv[1:]
    contract = Contract(folder)
    try:
        with Town(programs) as town:
            hub, agents = build(town, contract)
            act_agent.run(agents)
            act_hub.run(hub, agents)
            for name, caller in (("hub", hub), ("De Haven", agents["De Haven"])):
                act_login.run(contract, caller)
                refusals.run(contract, caller)
                act_login.guesses(caller)
            gone = agents["Nieuwe Start"]
            until("who was removed is told", lambda: gone.ask("GET", "/v1/alarms").body)
            missing = list(coverage(contract)) + list(contract.tolerated())
    except (Wrong, TimeoutError, RuntimeError) as fault:
        print(f"fault: {fault}")
        return 1
    for miss in missing:
        print(f"fault: {miss}")
    print(summary(contract))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
