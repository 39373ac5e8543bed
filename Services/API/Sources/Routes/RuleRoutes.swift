import HTTPTypes
import Hummingbird
import Models
import RuleEvaluation
import Store

/// What is watched for, and what fired.
struct RuleRoutes: Sendable {
  let rules: RuleStore
  let view: RoleView

  private static let path = "/api/v1/rules"
  private static let body = Operation.Body(schema: Shapes.rule, bytesMax: Rule.definitionBytesMax)

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: Self.path, id: "listRules", group: .rules, summary: "The rules, by id.", admittance: .admin,
          query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("rules", of: Shapes.rule)))), list),
      Route(
        Operation(
          method: .post, path: Self.path, id: "createRule", group: .rules,
          summary: "Adds a rule. It counts at every replica from its commit on.", admittance: .admin, body: Self.body,
          answer: .init(status: .created, note: "The rule.", content: .json(Shapes.rule), hasLocation: true),
          problems: [.alreadyExists, .limitReached]),
        create),
      Route(
        Operation(
          method: .post, path: Self.path + "/validate", id: "validateRule", group: .rules,
          summary: "Tells whether a rule would be taken; nothing is stored.", admittance: .admin, body: Self.body,
          answer: .init(status: .noContent, note: "It would.")), validate),
      Route(
        Operation(
          method: .get, path: Self.path + "/{rule_id}", id: "getRule", group: .rules, summary: "One rule.", admittance: .admin,
          answer: .init(status: .ok, note: "The rule.", content: .json(Shapes.rule)), problems: [.ruleNotFound]), get),
      Route(
        Operation(
          method: .put, path: Self.path + "/{rule_id}", id: "replaceRule", group: .rules,
          summary: "Adds a rule or replaces it whole. With another `when` it begins anew, and what it had raised is cleared.",
          admittance: .admin, body: Self.body,
          answer: .init(status: .ok, note: "The rule.", content: .json(Shapes.rule)), problems: [.limitReached]), replace),
      Route(
        Operation(
          method: .delete, path: Self.path + "/{rule_id}", id: "deleteRule", group: .rules,
          summary: "Removes a rule; what it had raised is cleared, what it fired stays.", admittance: .admin,
          answer: .init(status: .noContent, note: "Removed."), problems: [.ruleNotFound]), delete),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/firings", id: "listFirings", group: .rules,
          summary: "What rules have fired at an appliance, newest first; nothing for a role that does not get rule:triggered.",
          admittance: .appliance(.watch),
          query: [
            Operation.Parameter(name: "rule_id", schema: .text(1...64), note: "Only this rule's."), Shapes.from, Shapes.to, Shapes.limit,
            Shapes.cursor,
          ],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("firings", of: Shapes.firing)))), listFirings),
    ]
  }

  // MARK: Rules

  private func list(_ call: Call) async throws -> Response {
    let question = ["rules"]
    let after = try call.cursor(for: question, count: 1)?.parts[0]
    let page = try await rules.rules(after: after, limit: call.integer("limit", default: 100))
    return .json(
      Shapes.json("rules", page.items.map { .raw($0.definition) }, next: page.next.map { Cursor([$0]).text(for: question) }))
  }

  private func get(_ call: Call) async throws -> Response {
    guard let rule = try await rules.rule(call.path["rule_id"] ?? "") else { throw Problem(.ruleNotFound) }
    return .json(.raw(rule.definition))
  }

  private func create(_ call: Call) async throws -> Response {
    let rule = try await Self.namingWhatIsWrong { () async throws in
      let rule = try Rule(parsing: call.body.bytes)
      try await rules.save(rule, isNew: true)
      return rule
    }
    return .json(.raw(rule.definition), status: .created, headers: [.location: "\(Self.path)/\(rule.id)"])
  }

  private func replace(_ call: Call) async throws -> Response {
    let rule = try await Self.namingWhatIsWrong { () async throws in
      let rule = try Rule(parsing: call.body.bytes)
      guard rule.id == call.path["rule_id"] else { throw RuleError("id", "must be the one in the path") }
      try await rules.save(rule)
      return rule
    }
    return .json(.raw(rule.definition))
  }

  private func validate(_ call: Call) async throws -> Response {
    try await Self.namingWhatIsWrong { () async throws in try await rules.check(try Rule(parsing: call.body.bytes)) }
    return .noContent
  }

  private func delete(_ call: Call) async throws -> Response {
    guard try await rules.delete(call.path["rule_id"] ?? "") else { throw Problem(.ruleNotFound) }
    return .noContent
  }

  static func namingWhatIsWrong<Value>(_ work: () async throws -> Value) async throws -> Value {
    do {
      return try await work()
    } catch let error as RuleError {
      throw Problem(.invalidBody, violations: [Violation(place: pointer(error.path), detail: error.description)])
    }
  }

  /// `appliances[0]` → `/appliances/0`; no member's name has a character that a pointer would escape.
  private static func pointer(_ path: String) -> String {
    path.isEmpty ? "" : "/" + path.replacing("]", with: "").replacing("[", with: "/").replacing(".", with: "/")
  }

  // MARK: Firings

  private func listFirings(_ call: Call) async throws -> Response {
    let (appliance, window) = (try call.appliance(), try call.window())
    guard view.permitsFirings(call) else { return .json(Shapes.json("firings", [], next: nil)) }
    let question = ["firings", appliance.rawValue] + call.narrowing(["rule_id", "from", "to"])
    let page = try await rules.firings(
      of: appliance, rule: call.query["rule_id"], in: window, after: try call.position(for: question),
      limit: call.integer("limit", default: 100))
    return .json(
      Shapes.json(
        "firings", page.items.map { Self.json($0.firing, severity: $0.severity) }, next: page.next.map { Cursor($0).text(for: question) }))
  }

  static func json(_ firing: Firing, severity: String) -> JSONValue {
    [
      "rule_id": .text(firing.ruleID), "appliance_id": .text(firing.applianceID.rawValue), "severity": .text(severity),
      "metric": .optional(firing.metric.isEmpty ? nil : firing.metric) { .text($0) },
      "value": .optional(firing.value) { .number($0) }, "fired_at": .time(firing.at),
    ]
  }
}

extension Call {
  /// Where a page that goes by time begins.
  func position(for question: [String]) throws(Problem) -> TimePosition? {
    guard let cursor = try cursor(for: question, count: 2) else { return nil }
    guard let at = Int64(cursor.parts[0]), let id = Int64(cursor.parts[1]) else { throw Problem(.invalidCursor) }
    return TimePosition(at: Timestamp(microseconds: at), id: id)
  }
}

extension Cursor {
  init(_ position: TimePosition) { self.init([String(position.at.microseconds), String(position.id)]) }
}
