import HTTPTypes
import ServiceRuntime

/// The OpenAPI 3.1 document of these operations.
struct OpenAPIDocument: Sendable {
  let operations: [Operation]

  var json: JSONValue {
    [
      "openapi": "3.1.0",
      "info": [
        "title": "Martlet", "version": .text(BuildInfo.version),
        "description":
          "Users, appliances, their history, and commands to them. Live events come over WebSocket. Unknown members and parameters are refused.",
      ],
      "servers": [["url": "/"]], "security": [["token": []]], "tags": .list(Operation.Group.allCases.map { ["name": .text($0.rawValue)] }),
      "paths": paths,
      "components": [
        "securitySchemes": ["token": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"]], "schemas": schemas,
      ],
    ]
  }

  /// Operations of one path stand together, in the order in which the paths come first.
  private var paths: JSONValue {
    var order: [String] = []
    var byPath: [String: [(String, JSONValue)]] = [:]
    for operation in operations {
      if byPath[operation.path] == nil { order.append(operation.path) }
      byPath[operation.path, default: []].append((operation.method.rawValue.lowercased(), Self.json(operation)))
    }
    return .object(order.map { ($0, .object(byPath[$0] ?? [])) })
  }

  private var schemas: JSONValue {
    var found: [String: Schema] = [:]
    for operation in operations {
      for schema in operation.schemas + [Problem.schema] {
        for component in schema.components { found[component.name] = component.schema }
      }
    }
    return .object(found.sorted { $0.key < $1.key }.map { ($0.key, $0.value.document) })
  }

  private static func json(_ operation: Operation) -> JSONValue {
    var members: [(String, JSONValue)] = [
      ("operationId", .text(operation.id)), ("tags", [.text(operation.group.rawValue)]), ("summary", .text(operation.summary)),
    ]
    if operation.admittance == .anyone { members.append(("security", [])) }
    let parameters =
      operation.pathParameters.map { json($0, in: "path") } + operation.query.map { json($0, in: "query") }
    if !parameters.isEmpty { members.append(("parameters", .list(parameters))) }
    if let body = operation.body {
      members.append(
        ("requestBody", ["required": .boolean(!body.isOptional), "content": ["application/json": ["schema": body.schema.document]]]))
    }
    members.append(("responses", responses(of: operation)))
    return .object(members)
  }

  private static func json(_ parameter: Operation.Parameter, in place: String) -> JSONValue {
    [
      "name": .text(parameter.name), "in": .text(place), "required": .boolean(parameter.isRequired),
      "description": .text(parameter.note), "schema": parameter.schema.document,
    ]
  }

  private static func responses(of operation: Operation) -> JSONValue {
    let answer = operation.answer
    var success: [(String, JSONValue)] = [("description", .text(answer.note))]
    if answer.hasLocation {
      success.append(("headers", ["Location": ["required": true, "schema": ["type": "string"], "description": "Where it is to be had."]]))
    }
    switch answer.content {
    case .none: break
    case .json(let schema): success.append(("content", ["application/json": ["schema": schema.document]]))
    case .jsonOrCSV(let schema):
      success.append(
        ("content", ["application/json": ["schema": schema.document], "text/csv": ["schema": ["type": "string"]]]))
    case .page: success.append(("content", ["text/html": ["schema": ["type": "string"]]]))
    case .openDocument: success.append(("content", ["application/json": ["schema": ["type": "object"]]]))
    }
    var responses: [(String, JSONValue)] = [(String(answer.status.code), .object(success))]
    if answer.hasTag { responses.append(("304", ["description": "It is as the client has it: If-None-Match names its ETag."])) }
    let problems = Dictionary(grouping: operation.allProblems, by: \.status.code)
    for (status, codes) in problems.sorted(by: { $0.key < $1.key }) {
      responses.append(
        (
          String(status),
          [
            "description": .text(codes.map { "`\($0.rawValue)`: \($0.meaning)" }.joined(separator: " ")),
            "content": ["application/problem+json": ["schema": Problem.schema.document]],
          ]
        ))
    }
    return .object(responses)
  }
}

extension Operation {
  /// Those of its body, its parameters and its answer.
  fileprivate var schemas: [Schema] {
    let answers: [Schema] =
      switch answer.content {
      case .json(let schema), .jsonOrCSV(let schema): [schema]
      case .none, .page, .openDocument: []
      }
    return answers + [body?.schema].compactMap { $0 }
  }
}
