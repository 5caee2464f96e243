"""Owns reading docs/openapi: references, operations, and schemas as JSON Schema.

Must not know what is right about a document: check.py does.
"""
import copy
import os
import re

import jsonschema
import yaml

DAEMONS = ("agent", "hub")
FILES = ("common.yaml", "agent.yaml", "hub.yaml")
METHODS = ("get", "post", "put", "delete", "patch", "head", "options", "trace")
BASE = "http://plek.invalid/"  # a scheme that references can be joined to; all stand in the store


def load(folder):
    """The documents by file name."""
    documents = {}
    for name in FILES:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            documents[name] = yaml.load(file, Loader=yaml.CSafeLoader)
    return documents


def resolve(documents, name, node):
    """Follows $ref: the file and the node it ends at. KeyError when it leads nowhere."""
    while isinstance(node, dict) and "$ref" in node:
        file, _, pointer = node["$ref"].partition("#")
        name = file or name
        node = documents[name]
        for part in pointer.split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            node = node[int(part)] if isinstance(node, list) else node[part]
    return name, node


def references(node, path=""):
    """Each $ref below a node, with where it stands."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield path, node["$ref"]
        for key, value in node.items():
            if key not in ("example", "x-examples"):
                yield from references(value, f"{path}/{key}")
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from references(value, f"{path}/{i}")


class Operation:
    """One method of one path of a daemon, its references followed."""

    def __init__(self, documents, daemon, method, path, name, item):
        self.documents, self.daemon, self.path = documents, daemon, path
        self.method = method.upper()
        self.name, self.node = name, item[method]
        self.parameters = [
            resolve(documents, name, parameter)
            for parameter in item.get("parameters", []) + self.node.get("parameters", [])
        ]

    def __str__(self):
        return f"{self.daemon} {self.method} {self.path}"

    def request(self):
        """(file, request body) or (file, None)."""
        return resolve(self.documents, self.name, self.node.get("requestBody"))

    def response(self, status):
        """(file, response) of a status or else of `default`; (file, None) without either."""
        responses = self.node.get("responses", {})
        return resolve(self.documents, self.name,
                       responses.get(str(status), responses.get("default")))

    def security(self):
        return self.node.get("security", self.documents[f"{self.daemon}.yaml"].get("security"))


def operations(documents, daemon):
    for path, item in documents[f"{daemon}.yaml"]["paths"].items():
        name, item = resolve(documents, f"{daemon}.yaml", item)
        for method in METHODS:
            if method in item:
                yield Operation(documents, daemon, method, path, name, item)


def examples(documents, name, media):
    """(title, value) of a media type or parameter."""
    if "example" in media:
        yield "example", media["example"]
    for title, example in media.get("examples", {}).items():
        _, example = resolve(documents, name, example)
        yield title, example["value"]


def _to_json_schema(node):
    """OpenAPI 3.0 says `nullable`; and an object has no members but those that are named."""
    if isinstance(node, list):
        for value in node:
            _to_json_schema(value)
    elif isinstance(node, dict):
        for value in node.values():
            _to_json_schema(value)
        if node.get("type") == "object" and "additionalProperties" not in node:
            node["additionalProperties"] = False
        if node.get("nullable") is True and isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]


class Schemas:
    """The documents' schemas, closed: a member that is not documented is a fault."""

    def __init__(self, documents):
        self.store = {}
        for name, document in documents.items():
            self.store[BASE + name] = copy.deepcopy(document)
            _to_json_schema(self.store[BASE + name])
        self.resolvers = {  # kept: each one searches all documents first
            name: jsonschema.RefResolver(BASE + name, self.store[BASE + name], self.store)
            for name in documents
        }

    def faults(self, name, schema, value):
        """What is wrong about a value, as texts."""
        schema = copy.deepcopy(schema)
        _to_json_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolvers[name])
        return [f"{'/'.join(map(str, fault.absolute_path)) or 'value'}: {fault.message}"
                for fault in validator.iter_errors(value)]


def media_of(content, kind):
    """The media type object of a Content-Type, its parameters aside; None: not documented."""
    return content.get(re.split(r"[; ]", kind)[0])
