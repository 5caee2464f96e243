"""Owns asking a running daemon by its API, and holding what it answers against its document.

Must not know what is asked for: contract.py does.
"""
import http.client
import json
import re
import socket
import urllib.parse

import document as doc


class Wrong(Exception):
    """A daemon and its document differ, or a daemon does what it should not."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("plek", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text
        self.body = json.loads(text) if headers["Content-Type"] == "application/json" else None

    def __getitem__(self, key):
        return self.body[key]


class Contract:
    """The documents, and what was seen of them."""

    def __init__(self, folder):
        self.documents = doc.load(folder)
        self.schemas = doc.Schemas(self.documents)
        self.operations = {
            (daemon, o.method, o.path): o
            for daemon in doc.DAEMONS for o in doc.operations(self.documents, daemon)
        }
        self.seen = {}  # operation: statuses
        self.answers = {}  # operation: its longest answer of status 200

    def check_request(self, operation, body):
        name, request = operation.request()
        if request is None:
            return ["a body that is not documented"] if body else []
        if body is None:
            return ["no body"] if request.get("required") else []
        return self.schemas.faults(name, doc.media_of(request["content"], "application/json")["schema"],
                                   body)

    def check_answer(self, operation, answer):
        if str(answer.status) not in operation.node["responses"]:
            return [f"status {answer.status} is not documented"]
        name, response = operation.response(answer.status)
        media = doc.media_of(response.get("content", {}), answer.headers["Content-Type"])
        if media is None:
            return [f"type {answer.headers['Content-Type']} is not documented"]
        value = answer.text if answer.body is None else answer.body
        return self.schemas.faults(name, media["schema"], value)

    def note(self, operation, answer):
        found = self.check_answer(operation, answer)
        if found:
            raise Wrong(f"{operation} answers {answer.status} {answer.text[:2000]}: {found}")
        self.seen.setdefault(operation, set()).add(answer.status)
        if answer.status == 200 and answer.body is not None:
            longest = self.answers.get(operation, answer)
            self.answers[operation] = max(longest, answer, key=lambda a: len(a.text))

    def tolerated(self):
        """Answers with a member too many or too few that their schemas let pass, as texts."""
        for operation, answer in self.answers.items():
            body = answer.body[0] if isinstance(answer.body, list) and answer.body else answer.body
            if not isinstance(body, dict):
                yield f"{operation}: {answer.text} tells nothing"
                continue
            fewer = [{k: v for k, v in body.items() if k != key} for key in body]
            if not self._faulty(operation, answer, {**body, "stray": 1}):
                yield f"{operation}: lets a stray member pass"
            if fewer and not any(self._faulty(operation, answer, one) for one in fewer):
                yield f"{operation}: requires no member"

    def _faulty(self, operation, answer, body):
        changed = Answer.__new__(Answer)
        changed.status, changed.headers, changed.text = 200, answer.headers, ""
        changed.body = [body] if isinstance(answer.body, list) else body
        return bool(self.check_answer(operation, changed))


def filled(path, params):
    return re.sub(r"{(\w+)}", lambda m: urllib.parse.quote(params[m[1]], safe=""), path)


class Client:
    """One caller of one daemon: over its socket, or over HTTP with what `headers` bring."""

    def __init__(self, contract, daemon, address, headers=None):
        self.contract, self.daemon, self.address = contract, daemon, address
        self.headers = dict(headers or {})

    def open(self, method, path, body=None):
        text = None if body is None else json.dumps(body)
        local = self.address.startswith("/")
        connection = (_UnixConnection(self.address) if local else
                      http.client.HTTPConnection(self.address, timeout=60))
        headers = dict(self.headers)
        if text is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, path, text, headers)
        return connection, connection.getresponse()

    def send(self, method, path, body=None):
        connection, response = self.open(method, path, body)
        answer = Answer(response.status, response.headers, response.read().decode())
        connection.close()
        return answer

    def ask(self, method, path, body=None, want=200, code=None, params=None, query=None):
        """The answer of a documented operation; Wrong unless it is as documented and as wanted."""
        operation = self.contract.operations[self.daemon, method, path]
        address = filled(path, params or {})
        if query:
            address += "?" + urllib.parse.urlencode(query)
        if want == 200:
            found = self.contract.check_request(operation, body)
            if found:
                raise Wrong(f"{operation}: a request that it takes is not as documented: {found}")
        answer = self.send(method, address, body)
        if want is not None and answer.status != want:
            raise Wrong(f"{operation} {body}: expected {want}, found {answer.status} {answer.text}")
        if code is not None and answer["error"]["code"] != code:
            raise Wrong(f"{operation} {body}: expected {code}, found {answer.text}")
        self.contract.note(operation, answer)
        return answer
