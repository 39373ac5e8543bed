import Access
import HTTPTypes
import Hummingbird
import Models
import RuleEvaluation
import Store

/// What a rule would have done, for who writes it: within the bounds of a request, at one appliance (deploy/decisions/0024).
struct BacktestRoutes: Sendable {
  static let limits = ReplayLimits(eventsMax: 100_000, effectsMax: 1_000, time: .seconds(10))

  let history: HistoryStore
  let accounts: AccountStore
  /// Each reads page after page on a connection to the database, and works on what it reads.
  let places = Places(of: "back-tests", countMax: 2)

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .post, path: "/api/v1/rules/backtest", id: "backtestRule", group: .rules,
          summary: """
            What a rule would have done at one appliance over its stored events; nothing is stored. It is the evaluator that runs live. At most \
            \(Self.limits.eventsMax) events are looked at, those of the hour before included, and for at most ten seconds: until tells how far it came.
            """,
          admittance: .admin,
          query: [
            Operation.Parameter(name: "appliance_id", schema: .applianceID, isRequired: true, note: "The appliance."),
            Operation.Parameter(name: "from", schema: .moment, isRequired: true, note: "The beginning, itself included."), Shapes.to,
          ],
          body: Operation.Body(schema: Shapes.rule, bytesMax: Rule.definitionBytesMax),
          answer: .init(status: .ok, note: "What it would have done.", content: .json(Self.shape)), problems: [.applianceNotFound]),
        backtest)
    ]
  }

  private static let shape = Schema.named(
    "Backtest",
    .object([
      .required("concerned", .boolean, "Whether the rule concerns the appliance; if not, nothing happens there."),
      .required("until", .moment, "Up to when, not included; before the end that was asked for where a limit was reached."),
      .required("firings", .list(Shapes.firing), "By their times."),
      .required(
        "alarms",
        .list(
          .object([
            .required("raised_at", .moment, "Before the beginning, where it stood already."),
            .required("cleared_at", .nullable(.moment), "Null for one that would be open."), .required("raised_count", .count),
          ])), "Those that stood, by their times, whether or not the rule is to raise one."),
    ]))

  private func backtest(_ call: Call) async throws -> Response {
    let rule = try await RuleRoutes.namingWhatIsWrong { () async throws in try Rule(parsing: call.body.bytes) }
    let asked = try call.window()
    let window = HistoryWindow(from: asked.from, to: min(asked.to, call.now))
    guard window.from < window.to else {
      throw Problem(.invalidParameter, violations: [Violation(place: "from", detail: "must be in the past")])
    }
    let caller = try call.user()
    guard let id = try? ApplianceID(call.query["appliance_id"] ?? ""),
      let appliance = try await accounts.appliance(id, visibleTo: caller.id, as: caller.principal.role)
    else { throw Problem(.applianceNotFound) }
    let isConcerned = rule.scope.contains(id, dialect: appliance.dialect)
    var outcome = ReplayOutcome(from: window.from)
    var until = window.to
    if isConcerned {
      let place = try places.take()
      defer { place.leave() }
      let found = try await history.replay(rule, of: id, in: window, limits: Self.limits)
      outcome.add(found.effects)
      until = found.until
    }
    return .json([
      "concerned": .boolean(isConcerned), "until": .time(until),
      "firings": .list(outcome.firings.map { RuleRoutes.json($0, severity: rule.severity.rawValue) }),
      "alarms": .list(
        outcome.alarms.map {
          [
            "raised_at": .time($0.raisedAt), "cleared_at": .optional($0.clearedAt) { .time($0) },
            "raised_count": .integer(Int64($0.raisedCount)),
          ]
        }),
    ])
  }
}
