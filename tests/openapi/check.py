#!/usr/bin/python3
"""Owns what is right about docs/openapi, and the proof that each fault of it is found.

usage: check.py ROUTES FOLDER SCHEMA: the program that prints the compiled routes, the folder of the
documents, and the JSON Schema of OpenAPI 3.0.
"""
import copy
import json
import subprocess
import sys

import jsonschema

import document as doc


class Compiled:
    """What routes.c printed."""

    def __init__(self, program):
        self.routes, self.queries, self.errors = {}, {}, {}
        for line in subprocess.run([program], check=True, capture_output=True,
                                   text=True).stdout.splitlines():
            kind, *rest = line.split("\t")
            if kind == "route":
                daemon, method, path, role = rest
                path, _, names = path.partition("?")
                self.routes[daemon, method, path] = role
                self.queries[daemon, method, path] = set(names.split("&")) - {""}
            else:
                self.errors[rest[0]] = int(rest[1])


class Form:
    """What OpenAPI allows. A document that was looked at is known by its text."""

    def __init__(self, schema):
        self.validator = jsonschema.Draft4Validator(schema)
        self.known = {}

    def faults(self, documents):
        for name, document in documents.items():
            text = json.dumps(document)
            if text not in self.known:  # it knows JSON, whose keys are texts
                self.known[text] = [
                    f"{name}: {'/'.join(map(str, fault.absolute_path))}: {fault.message[:200]}"
                    for fault in self.validator.iter_errors(json.loads(text))]
            yield from self.known[text]


def reference_faults(documents):
    used = set()
    for name, document in documents.items():
        for path, reference in doc.references(document):
            file, _, pointer = reference.partition("#")
            used.add((file or name, pointer))
            try:
                doc.resolve(documents, name, {"$ref": reference})
            except (KeyError, IndexError, TypeError):
                yield f"{name}: {path}: {reference} leads nowhere"
    for name, document in documents.items():
        for kind, parts in document.get("components", {}).items():
            for part in parts:
                if kind != "securitySchemes" and (name, f"/components/{kind}/{part}") not in used:
                    yield f"{name}: nothing refers to {kind}/{part}"


def route_faults(documents, compiled):
    found, queries = {}, {}
    for daemon in doc.DAEMONS:
        for operation in doc.operations(documents, daemon):
            if operation.path.startswith("/v1/"):
                queries[daemon, operation.method, operation.path] = {
                    p["name"] for _, p in operation.parameters if p["in"] == "query"}
                found[daemon, operation.method, operation.path] = operation.node.get("x-role")
    for route in sorted(compiled.routes.keys() - found.keys()):
        yield f"{' '.join(route)}: not documented"
    for route in sorted(found.keys() - compiled.routes.keys()):
        yield f"{' '.join(route)}: no such route"
    for route in sorted(found.keys() & compiled.routes.keys()):
        if queries[route] != compiled.queries[route]:
            yield f"{' '.join(route)}: query {queries[route]}, it takes {compiled.queries[route]}"
        if found[route] != compiled.routes[route]:
            yield f"{' '.join(route)}: x-role is {found[route]}, it takes {compiled.routes[route]}"


def error_faults(documents, compiled):
    code = documents["common.yaml"]["components"]["schemas"]["ErrorCode"]
    if code["x-http-status"] != compiled.errors:
        differing = dict(set(code["x-http-status"].items()) ^ set(compiled.errors.items()))
        yield f"ErrorCode: x-http-status differs from the errors there are: {differing}"
    if code["enum"] != list(compiled.errors):
        yield "ErrorCode: enum does not list the errors there are, in order"


# What is ended or changed by these is a session: a token has none.
OF_SESSIONS = ("/v1/logout", "/v1/password")


def security_of(operation):
    if not operation.path.startswith("/v1/") or operation.node.get("x-role") == "stranger":
        return []
    if operation.method == "GET":
        return [{"token": []}, {"session": []}]
    session = {"session": [], "csrf": []}
    return [session] if operation.path in OF_SESSIONS else [{"token": []}, session]


def parameter_faults(documents, schemas, operation):
    named = {p["name"] for _, p in operation.parameters if p["in"] == "path"}
    wanted = {part[1:-1] for part in operation.path.split("/") if part.startswith("{")}
    if named != wanted:
        yield f"{operation}: parameters {named}, the path has {wanted}"
    for name, parameter in operation.parameters:
        values = list(doc.examples(documents, name, parameter))
        if not values:
            yield f"{operation}: parameter {parameter['name']} has no example"
        for _, value in values:
            for fault in schemas.faults(name, parameter["schema"], value):
                yield f"{operation}: example of parameter {parameter['name']}: {fault}"


def media_faults(documents, schemas, name, content, where):
    for kind, media in content.items():
        values = list(doc.examples(documents, name, media))
        if not values:
            yield f"{where}: {kind} has no example"
        for title, value in values:
            for fault in schemas.faults(name, media["schema"], value):
                yield f"{where}: {title}: {fault}"


def closed_faults(documents, name, schema, where):
    """Bodies with members that are not documented are refused: schemas of requests say so."""
    name, schema = doc.resolve(documents, name, schema)
    if schema.get("type") == "object" and "additionalProperties" not in schema:
        yield f"{where}: an object that does not say additionalProperties: false"
    parts = list(schema.get("properties", {}).values()) + schema.get("allOf", [])
    if isinstance(schema.get("items"), dict):
        parts.append(schema["items"])
    for part in parts:
        yield from closed_faults(documents, name, part, where)


def operation_faults(documents, schemas, compiled, operation):
    if operation.security() != security_of(operation):
        yield f"{operation}: security is {operation.security()}, it takes {security_of(operation)}"
    yield from parameter_faults(documents, schemas, operation)
    name, body = operation.request()
    if body is not None:
        yield from media_faults(documents, schemas, name, body["content"], f"{operation}: request")
        for media in body["content"].values():
            yield from closed_faults(documents, name, media["schema"], f"{operation}: request")
    responses = operation.node.get("responses", {})
    for status in ["200"] + (["default"] if operation.path.startswith("/v1/") else []):
        if status not in responses:
            yield f"{operation}: no response {status}"
    for status in responses:
        name, response = operation.response(status)
        where = f"{operation}: {status}"
        content = response.get("content", {})
        yield from media_faults(documents, schemas, name, content, where)
        if status not in ("200", "default"):
            for media in content.values():
                for _, value in doc.examples(documents, name, media):
                    code = value["error"]["code"]
                    if compiled.errors.get(code) != int(status):
                        yield f"{where}: its example is of {code}, which has another status"


def faults(documents, compiled, form):
    found = list(form.faults(documents)) + list(reference_faults(documents))
    yield from found
    if found:
        return  # what follows relies on it
    yield from route_faults(documents, compiled)
    yield from error_faults(documents, compiled)
    schemas = doc.Schemas(documents)
    for daemon in doc.DAEMONS:
        seen = set()
        for operation in doc.operations(documents, daemon):
            yield from operation_faults(documents, schemas, compiled, operation)
            if operation.node.get("operationId") in seen | {None}:
                yield f"{operation}: its operationId is missing or another's"
            seen.add(operation.node.get("operationId"))


# ---- each fault is found ----

def _take(node, *path):
    for part in path:
        node = node[part]
    return node


def _media(node):
    return node["content"]["application/json"]


def _piece(documents):
    return _take(documents, "agent.yaml", "paths", "/v1/imports/{id}", "put", "requestBody")


MUTATIONS = (
    ("a route that is not documented", "agent GET /v1/alarms: not documented",
     lambda d: d["agent.yaml"]["paths"].pop("/v1/alarms")),
    ("a common route that one daemon lacks", "hub GET /v1/events: not documented",
     lambda d: d["hub.yaml"]["paths"].pop("/v1/events")),
    ("a route that does not exist", "hub GET /v1/coverages: no such route",
     lambda d: d["hub.yaml"]["paths"].update(
         {"/v1/coverages": _take(d, "hub.yaml", "paths", "/v1/coverage")})),
    ("a method that does not exist", "agent PUT /v1/undo: no such route",
     lambda d: _take(d, "agent.yaml", "paths", "/v1/undo").update(
         put=dict(_take(d, "agent.yaml", "paths", "/v1/undo", "post"), operationId="another"))),
    ("another role", "agent POST /v1/lines: x-role is viewer, it takes editor",
     lambda d: _take(d, "agent.yaml", "paths", "/v1/lines", "post").update({"x-role": "viewer"})),
    ("a parameter that is not documented", "agent GET /v1/lines: query {'site'}, it takes",
     lambda d: _take(d, "agent.yaml", "paths", "/v1/lines", "get", "parameters").pop(0)),
    ("no role", "x-role is None", lambda d: _take(d, "common.yaml", "paths", "/v1/users",
                                                   "get").pop("x-role")),
    ("a writing route without CSRF", "hub POST /v1/charter: security",
     lambda d: _take(d, "hub.yaml", "paths", "/v1/charter", "post").pop("security")),
    ("a required member that the example lacks", "PUT /v1/imports/{id}: request: example: value: 'last'",
     lambda d: _media(_piece(d))["schema"].update(required=["offset", "data", "last"])),
    ("an example without a required member", "'seq' is a required property",
     lambda d: _media(_take(d, "agent.yaml", "paths", "/v1/status", "get", "responses", "200"))[
         "example"]["feed"].pop("seq")),
    ("an example with a stray member", "('dryrun' was unexpected)",
     lambda d: _media(_piece(d))["example"].update(dryrun=True)),
    ("an answer's example with a stray member", "('colour' was unexpected)",
     lambda d: _media(_take(d, "hub.yaml", "components", "responses", "Member"))[
         "example"]["agents"][0].update(colour="red")),
    ("an example of another type", "'three' is not",
     lambda d: d["agent.yaml"]["x-examples"][0].update(revision="three")),
    ("an example out of its range", "is greater than the maximum",
     lambda d: next(p for p in _take(d, "agent.yaml", "paths", "/v1/room", "get", "parameters")
                    if p.get("name") == "limit").update(example=1001)),
    ("an example outside its enum", "is not one of",
     lambda d: _media(_take(d, "common.yaml", "paths", "/v1/users", "post", "requestBody"))[
         "example"].update(role="owner")),
    ("an unknown error code", "is not one of",
     lambda d: _media(_take(d, "common.yaml", "components", "responses", "Gone"))["example"][
         "error"].update(code="gone")),
    ("an error under another status", "which has another status",
     lambda d: _media(_take(d, "common.yaml", "components", "responses", "Gone"))["example"][
         "error"].update(code="conflict")),
    ("an error that the code does not have", "ErrorCode",
     lambda d: _take(d, "common.yaml", "components", "schemas", "ErrorCode",
                     "x-http-status").update(teapot=418)),
    ("no example", "has no example",
     lambda d: _media(_take(d, "hub.yaml", "paths", "/v1/coverage", "get", "responses", "200"))
     .pop("example")),
    ("an open request", "does not say additionalProperties: false",
     lambda d: _take(d, "agent.yaml", "components", "schemas", "LineChange")
     .pop("additionalProperties")),
    ("a reference that leads nowhere", "leads nowhere",
     lambda d: _take(d, "agent.yaml", "components", "schemas").pop("Freshness")),
    ("a part that nothing refers to", "nothing refers to schemas/Spare",
     lambda d: _take(d, "hub.yaml", "components", "schemas").update(Spare={"type": "string"})),
    ("a path parameter that is not described", "the path has {'name'}",
     lambda d: _take(d, "hub.yaml", "paths", "/v1/members/{name}").pop("parameters")),
    ("no answer", "no response 200",
     lambda d: _take(d, "agent.yaml", "paths", "/v1/alarms", "get", "responses").pop("200")),
    ("a form that OpenAPI does not have", "agent.yaml: ",
     lambda d: _take(d, "agent.yaml", "paths", "/v1/alarms", "get").update(answers={})),
)


def unnoticed(documents, compiled, form):
    """Mutations of the documents that nothing was said about."""
    for title, wanted, mutate in MUTATIONS:
        mutated = copy.deepcopy(documents)
        mutate(mutated)
        if not any(wanted in fault for fault in faults(mutated, compiled, form)):
            found = list(faults(mutated, compiled, form))
            yield f"{title}: expected a fault with {wanted!r}, found {found[:3]}"


def main():
    program, folder, schema_file = sys.argv[1:]
    with open(schema_file, encoding="utf-8") as file:
        form = Form(json.load(file))
    compiled, documents = Compiled(program), doc.load(folder)
    found = list(faults(documents, compiled, form))
    missed = [] if found else list(unnoticed(documents, compiled, form))
    for fault in found:
        print(f"fault: {fault}")
    for miss in missed:
        print(f"not noticed: {miss}")
    if found or missed:
        return 1
    print(f"{len(compiled.routes)} routes and {len(compiled.errors)} errors as documented, "
          f"{len(MUTATIONS)} kinds of faults noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
