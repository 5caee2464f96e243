"""Owns what every operation refuses alike: who may not, bodies that are not as documented, numbers out of
their range. It follows the documents: a route that is added is tried without a word here.
"""
import document as doc
from client import Client, Wrong, filled

OF_SESSIONS = ("/v1/login", "/v1/invite", "/v1/password")
ROLES = {"stranger": 0, "viewer": 1, "editor": 2, "admin": 3}


def params_of(operation):
    return {p["name"]: str(p["example"]) for _, p in operation.parameters if p["in"] == "path"}


def query_of(operation):
    return {p["name"]: str(p["example"]) for _, p in operation.parameters
            if p["in"] == "query" and p.get("required")}


def outsiders(operation, nobody, viewer):
    """A stranger gets 401, a viewer's token 403 for what takes more."""
    role = ROLES[operation.node["x-role"]]
    how = {"params": params_of(operation), "query": query_of(operation)}
    if role > 0:
        nobody.ask(operation.method, operation.path, want=401, code="login", **how)
    if role > 1:
        viewer.ask(operation.method, operation.path, want=403, code="permission", **how)


def _schema(contract, name, schema):
    name, schema = doc.resolve(contract.documents, name, schema)
    if "allOf" in schema:
        return _schema(contract, name, schema["allOf"][0])
    return name, schema


def spoiled(contract, operation):
    """(what, body) of bodies that are refused, made from the documented one."""
    name, request = operation.request()
    if request is None:
        return
    media = doc.media_of(request["content"], "application/json")
    good = next(value for _, value in doc.examples(contract.documents, name, media))
    file, schema = _schema(contract, name, media["schema"])
    yield "a stray member", {**good, "stray": 1}
    for key in schema.get("required", []):
        yield f"no {key}", {k: v for k, v in good.items() if k != key}
        yield f"null as {key}", {**good, key: None}
    for key, part in schema["properties"].items():
        _, part = _schema(contract, file, part)
        yield f"a list of lists as {key}", {**good, key: [[]]}
        if part.get("type") == "integer":
            yield f"a text as {key}", {**good, key: "1"}
            yield f"{key} below its minimum", {**good, key: part["minimum"] - 1}
        if part.get("type") == "string" and part.get("maxLength", 2**20) < 2**18:
            yield f"{key} over its length", {**good, key: "x" * (part["maxLength"] + 1)}
        if part.get("type") == "string" and "enum" in part:
            yield f"another {key}", {**good, key: "nonsense"}


def bodies(contract, operation, caller):
    for what, body in spoiled(contract, operation):
        answer = caller.ask(operation.method, operation.path, body, want=None,
                            params=params_of(operation), query=query_of(operation))
        # What is too long may be looked for before it is measured: then there is none.
        right = (400, 404, 422) if "length" in what else (422,)
        if answer.status not in right:
            yield f"{operation}: {what} gives {answer.status} {answer.text}"
    name, request = operation.request()
    if request is not None and request.get("required"):
        caller.ask(operation.method, operation.path, want=400, code="usage",
                   params=params_of(operation), query=query_of(operation))


def ranges(operation, caller):
    for _, p in operation.parameters:
        schema = p["schema"]
        wrong = []
        if schema.get("type") == "integer":
            wrong = [schema[k] + d for k, d in (("minimum", -1), ("maximum", 1)) if k in schema]
        elif "enum" in schema:
            wrong = ["nonsense"]
        for value in wrong:
            caller.ask(operation.method, operation.path, want=422, code="data",
                       query={p["name"]: value})
        right = [schema[k] for k in ("minimum", "maximum") if schema.get("type") == "integer" and
                 k in schema] + schema.get("enum", [])
        for value in right:
            caller.ask(operation.method, operation.path, query={p["name"]: value})


def strays(operation, caller):
    """A parameter that the operation does not have, and one that is there twice."""
    address = filled(operation.path, params_of(operation)) + "?"
    known = [p["name"] for _, p in operation.parameters if p["in"] == "query"]
    for query, name in [("stray=1", "stray")] + [(f"{k}=1&{k}=2", k) for k in known]:
        answer = caller.send(operation.method, address + query)
        error = answer.body["error"]
        if answer.status != 400 or error["code"] != "usage" or error.get("file") != name:
            yield f"{operation}: ?{query} gives {answer.status} {answer.text}"


def elsewhere(local, nobody):
    """What no operation is, and what any can be answered."""
    stranger = Client(nobody.contract, nobody.daemon, nobody.address, {"Host": "else.example"})
    error = {"$ref": "#/components/schemas/Error"}
    for caller, method, path, body, code, status in (
            (local, "GET", "/v1/nothing", None, "not-found", 404),
            (local, "PUT", "/v1/status", None, "not-found", 404),
            (local, "GET", "/v2/status", None, "not-found", 404),
            (stranger, "GET", "/v1/me", None, "host", 421),
            (nobody, "POST", "/v1/login", {"user": "x" * 2**20}, "too-large", 413)):
        answer = caller.send(method, path, body)
        found = local.contract.schemas.faults("common.yaml", error, answer.body)
        if answer.status != status or found or answer["error"]["code"] != code:
            yield f"{method} {path}: expected {code}, found {answer.status} {answer.text} {found}"
    connection, response = local.open("PATCH", "/v1/status")
    connection.close()
    if response.status != 405:
        yield f"PATCH: expected 405, found {response.status}"
    # What a browser makes of no parameters.
    empty = local.send("GET", "/v1/status?")
    if empty.status != 200:
        yield f"GET /v1/status?: expected 200, found {empty.status} {empty.text}"


def run(contract, local):
    nobody = Client(contract, local.daemon, local.web)
    faults = []
    for (daemon, _, path), operation in contract.operations.items():
        if daemon != local.daemon or not path.startswith("/v1/"):
            continue
        outsiders(operation, nobody, local.program)
        faults += bodies(contract, operation, local.person if path in OF_SESSIONS else local)
        faults += strays(operation, local)
        ranges(operation, local)
    faults += elsewhere(local, nobody)
    if faults:
        raise Wrong("\n".join(faults))
