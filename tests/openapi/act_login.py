"""Owns people and programs coming in: users, links, sessions, tokens, events.

Must not know what an answer looks like: client.py holds it against the document.
"""
import re

from act_agent import expect
from client import Client

PASSWORD, OTHER = "een zin van woorden", "een andere zin van woorden"


def users(local):
    local.ask("GET", "/v1/me")
    if local.daemon == "hub":
        local.ask("POST", "/v1/users", {"name": "balie", "role": "editor"}, want=422)
    made = local.ask("POST", "/v1/users", {"name": "balie", "role": "viewer"})
    local.ask("POST", "/v1/users", {"name": "balie", "role": "viewer"}, want=409)
    local.ask("POST", "/v1/users", {"name": "a b", "role": "viewer"}, want=422)
    local.ask("GET", "/v1/users")
    at, nobody = {"name": "balie"}, {"name": "nobody"}
    local.ask("POST", "/v1/users/{name}/role", {"role": "admin"}, params=at)
    local.ask("POST", "/v1/users/{name}/role", {"role": "admin"}, params=nobody, want=404)
    local.ask("POST", "/v1/users/{name}/reset", params=nobody, want=404)
    local.ask("DELETE", "/v1/users/{name}", params=nobody, want=404)
    made = local.ask("POST", "/v1/users/{name}/reset", params=at)
    for path in ("/v1/logout", "/v1/password"):
        local.ask("POST", path, {"old": PASSWORD, "new": OTHER} if "pass" in path else None, want=400)
    return made["invite"]


def session(web, answer):
    """Whoever sends what a browser would after this answer."""
    cookie = re.match(r"[^;]*", answer.headers["Set-Cookie"])[0]
    return Client(web.contract, web.daemon, web.address,
                  {"Cookie": cookie, "X-Plek-CSRF": answer["csrf"]})


def people(web, invite):
    web.ask("GET", "/v1/me", want=401)
    web.ask("POST", "/v1/invite", {"token": "nothing", "password": PASSWORD}, want=404)
    web.ask("POST", "/v1/invite", {"token": invite, "password": "short"}, want=422, code="password")
    person = session(web, web.ask("POST", "/v1/invite", {"token": invite, "password": PASSWORD}))
    web.ask("POST", "/v1/invite", {"token": invite, "password": PASSWORD}, want=409)
    person.ask("GET", "/v1/me")
    web.ask("POST", "/v1/login", {"user": "balie", "password": "wrong"}, want=401, code="credentials")
    other = session(web, web.ask("POST", "/v1/login", {"user": "balie", "password": PASSWORD}))
    person.ask("POST", "/v1/password", {"old": "wrong", "new": OTHER}, want=401)
    person.ask("POST", "/v1/password", {"old": PASSWORD, "new": "balie"}, want=422)
    person = session(web, person.ask("POST", "/v1/password", {"old": PASSWORD, "new": OTHER}))
    other.ask("POST", "/v1/logout", want=401)
    for method, path, body in (("DELETE", "/v1/users/{name}", None),
                               ("POST", "/v1/users/{name}/role", {"role": "viewer"})):
        person.ask(method, path, body, params={"name": "balie"}, want=409)
    foreign = Client(web.contract, web.daemon, web.address, {"Origin": "https://else.example"})
    for path, body in (("/v1/login", {"user": "balie", "password": OTHER}),
                       ("/v1/invite", {"token": invite, "password": OTHER})):
        foreign.ask("POST", path, body, want=403, code="csrf")
    forged = Client(web.contract, web.daemon, web.address, {**person.headers, "X-Plek-CSRF": "x"})
    forged.ask("POST", "/v1/logout", want=403, code="csrf")
    forged.ask("POST", "/v1/password", {"old": OTHER, "new": PASSWORD}, want=403, code="csrf")
    return person


def tokens(local, web):
    made = local.ask("POST", "/v1/tokens", {"name": "epd", "role": "viewer"})
    local.ask("POST", "/v1/tokens", {"name": "epd", "role": "viewer"}, want=409)
    local.ask("POST", "/v1/tokens", {"name": "epd", "role": "boss"}, want=422)
    program = Client(local.contract, local.daemon, web.address,
                     {"Authorization": f"Bearer {made['token']}"})
    program.ask("GET", "/v1/me")
    local.ask("GET", "/v1/tokens")
    return program


def events(caller):
    """The stream's head and first bytes; what ends it is that we go."""
    operation = caller.contract.operations[caller.daemon, "GET", "/v1/events"]
    connection, response = caller.open("GET", "/v1/events")
    expect(response.status == 200, f"no stream: {response.status}")
    local = Client(caller.contract, caller.daemon, caller.local)
    local.ask("POST", "/v1/users", {"name": "nachtdienst", "role": "viewer"})
    text = ""
    while "data:" not in text:
        text += response.fp.readline().decode()
    connection.close()
    local.ask("DELETE", "/v1/users/{name}", params={"name": "nachtdienst"})
    expect(re.search(r"^event: users$", text, re.M), f"the stream says {text!r}")
    answer = type("Stream", (), {"status": 200, "headers": response.headers, "text": text,
                                 "body": None})
    caller.contract.note(operation, answer)


def guesses(local):
    """Whoever guesses has to wait, and so has everybody at that address. Nothing can log in after this."""
    web = Client(local.contract, local.daemon, local.web)
    for caller, path, body in ((web, "/v1/login", {"user": "balie", "password": "wrong"}),
                               (web, "/v1/invite", {"token": "nothing", "password": OTHER}),
                               (local.person, "/v1/password", {"old": "wrong", "new": PASSWORD})):
        # Each failure doubles the wait, so that a slow machine gets there too.
        answers = (caller.ask("POST", path, body, want=None) for _ in range(20))
        waits = next((a for a in answers if a.status == 429), None)
        expect(waits is not None and waits["error"]["retry_ms"] > 0, f"{path} is never told to wait")


def run(contract, local):
    web = Client(contract, local.daemon, local.web)
    person = people(web, users(local))
    local.program = tokens(local, web)
    for caller in (local, person):
        caller.local = local.address
        events(caller)
    person.ask("GET", "/v1/users")
    person.ask("POST", "/v1/logout")
    local.ask("POST", "/v1/users", {"name": "weg", "role": "viewer"})
    local.ask("DELETE", "/v1/users/{name}", params={"name": "weg"})
    local.ask("POST", "/v1/tokens", {"name": "weg", "role": "viewer"})
    local.ask("DELETE", "/v1/tokens/{name}", params={"name": "weg"})
    local.ask("DELETE", "/v1/tokens/{name}", params={"name": "weg"}, want=404)
    local.person = session(web, web.ask("POST", "/v1/login", {"user": "balie", "password": OTHER}))
