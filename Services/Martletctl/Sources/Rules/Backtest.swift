import ArgumentParser
import Models
import RuleEvaluation
import ServiceRuntime
import Store

struct Backtest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a rule over stored history, and shows what it would have fired and raised.",
    discussion: """
      The rule is a stored one or a draft in a file, enabled or not. What evaluates it is what evaluates rules live, on the same events in the \
      same order, by the times at which they came: over the time that it stood it gives what it gave then.

      Evaluation begins somewhat before --from, by an hour or by as long as the rule looks back, so that it is known how things \
      stood; what happened by then is not shown. It reads the database, as its owner.
      """)

  @Argument(help: "The id of a stored rule.") var rule: String?
  @Option(help: ArgumentHelp("A draft instead: a file with a rule's JSON, or - for standard input.", valueName: "file")) var file: String?
  @Option(help: ArgumentHelp("From this moment on, such as 2026-02-14T12:30:00Z; all there is when left out.", valueName: "time"))
  var from: String?
  @Option(help: ArgumentHelp("Up to this moment; up to now when left out.", valueName: "time")) var to: String?
  @Flag(help: "Show JSON, one object a line.") var json = false

  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var configFile: ConfigFileOption

  func validate() throws {
    guard (rule == nil) != (file == nil) else { throw ValidationError("Name a stored rule, or give a draft with --file.") }
    for case (let name, let text?) in [("--from", from), ("--to", to)] where Timestamp(iso8601: text) == nil {
      throw ValidationError("\(name) is no moment with its zone, like 2026-02-14T12:30:00Z.")
    }
  }

  func run() async throws {
    try await reporting {
      let draft = try file.map(RuleFile.read)
      let now = Timestamp.now()
      let window = HistoryWindow(
        from: from.flatMap(Timestamp.init(iso8601:)), to: min(to.flatMap(Timestamp.init(iso8601:)) ?? now, now))
      guard window.from < window.to else { throw CommandError("--to is not after --from: there is nothing to look at.") }
      try await Connections.withDatabase(ConfigurationValues(postgres, configFile)) { pool in
        let rule = if let draft { draft } else { try await stored(in: RuleStore(pool)) }
        let run = BacktestRun(rule: rule, window: window, history: HistoryStore(pool, timeout: Self.queryTimeout))
        let outcome = try await run.outcome()
        for line in json ? outcome.json : outcome.table where !Console.say(line) { return }
      }
    }
  }

  private static let queryTimeout = Duration.seconds(300)

  private func stored(in rules: RuleStore) async throws -> Rule {
    let id = rule ?? ""
    guard let stored = try await rules.rule(id) else {
      throw CommandError("There is no rule '\(EventLine.visible(id))': see `martletctl rules`.")
    }
    return try Rule(parsing: stored.definition)
  }
}

/// A rule over the stored history of every appliance that it concerns, one after the other.
struct BacktestRun {
  /// Firings and clearings that are kept in memory, about 100 bytes each.
  static let effectsMax = 1_000_000

  let rule: Rule
  let window: HistoryWindow
  let history: HistoryStore

  func outcome() async throws -> ReplayOutcome {
    var outcome = ReplayOutcome(from: window.from)
    var room = Self.effectsMax
    for appliance in try await history.backtested(by: rule, in: window) {
      let found = try await history.replay(rule, of: appliance, in: window, limits: ReplayLimits(effectsMax: room))
      guard found.until == window.to else {
        throw CommandError(
          "The rule fires and clears more than \(Self.effectsMax) times: narrow it, or look at less time with --from and --to.")
      }
      room -= found.effects.count
      outcome.add(found.effects)
    }
    return outcome
  }
}
