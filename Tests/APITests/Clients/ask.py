"""Asks the API over HTTP and checks every answer against its own OpenAPI document.

Standard input: {"url", "secret", "questions": [{"method", "path", "token"?, "jwt"?, "body"?, "headers"?, "repeat"?, "parallel"?}]}
Standard output: a list with one {"status", "headers", "body", "violations"} for each question, in order.

A `jwt` is a token to be made here, {"alg", "claims", "secret"?}, so that tokens come from hands that are not the server's.
"""
import base64, concurrent.futures, datetime, hashlib, hmac, json, sys, urllib.error, urllib.parse, urllib.request
import jsonschema

formats = jsonschema.FormatChecker(formats=())


@formats.checks("date-time", raises=ValueError)
def is_moment(text):
    return not isinstance(text, str) or datetime.datetime.fromisoformat(text).tzinfo is not None


def segment(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def made(jwt, secret):
    head = {"typ": "JWT", "alg": jwt["alg"]}
    text = segment(json.dumps(head).encode()) + "." + segment(json.dumps(jwt["claims"]).encode())
    if jwt["alg"] == "none":
        return text + "."
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}.get(jwt["alg"], hashlib.sha256)
    return text + "." + segment(hmac.new(jwt.get("secret", secret).encode(), text.encode(), digest).digest())


def send(url, secret, question):
    headers = dict(question.get("headers", {}))
    token = made(question["jwt"], secret) if "jwt" in question else question.get("token")
    if token is not None:
        headers.setdefault("Authorization", "Bearer " + token)
    body = question.get("body")
    if body is not None:
        headers.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url + question["path"], method=question["method"], headers=headers, data=body.encode() if body is not None else None)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read().decode()


class Document:
    def __init__(self, url):
        self.json = json.loads(send(url, "", {"method": "GET", "path": "/api/openapi.json"})[2])
        for schema in self.json["components"]["schemas"].values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def operation(self, method, path):
        wanted = urllib.parse.urlsplit(path).path.split("/")
        best = None
        for template, methods in self.json["paths"].items():
            parts = template.split("/")
            if len(parts) == len(wanted) and all(p.startswith("{") or p == w for p, w in zip(parts, wanted)):
                if best is None or template.count("{") < best[0].count("{"):
                    best = (template, methods)
        return best and best[1].get("get" if method == "HEAD" else method.lower())

    def violations(self, question, status, headers, body):
        operation = self.operation(question["method"], question["path"])
        if operation is None:
            described = {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        else:
            described = operation["responses"].get(str(status))
            if described is None:
                return [f"status {status} is not described"]
        found = []
        for name, header in described.get("headers", {}).items():
            if header.get("required") and name.lower() not in headers:
                found.append(f"the header {name} is missing")
        content = described.get("content")
        if content is None:
            return found + (["there is a body"] if body else [])
        kind = headers.get("content-type", "").split(";")[0]
        if kind not in content:
            return found + [f"the content type {kind!r} is not described"]
        if question["method"] == "HEAD" or not kind.endswith("json"):
            return found
        schema = dict(content[kind]["schema"], components=self.json["components"])
        checker = jsonschema.Draft202012Validator(schema, format_checker=formats)
        return found + [f"{list(error.path)}: {error.message}"[:300] for error in checker.iter_errors(json.loads(body))]


def main():
    task = json.load(sys.stdin)
    document = Document(task["url"])

    def answer(question):
        status, headers, body = send(task["url"], task["secret"], question)
        return {"status": status, "headers": headers, "body": body, "violations": document.violations(question, status, headers, body)}

    threads = task.get("threads", 1)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        json.dump(list(pool.map(answer, task["questions"])), sys.stdout)


main()
