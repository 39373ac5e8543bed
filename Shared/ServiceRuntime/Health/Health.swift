import Synchronization

/// Whether the service can do its work: what `/readyz` tells.
package final class Health: Sendable {
  enum Phase: String, Sendable { case starting, serving, draining }

  static let metric = "martlet_ready"

  private struct State {
    var phase = Phase.starting
    var checks: [DeadlineCall<Result<Void, any Error>>] = []
  }

  private let state = Mutex(State())
  private let runner: DeadlineRunner

  package init(runner: DeadlineRunner) { self.runner = runner }

  /// Adds a check that must succeed for the service to be ready: a canary through the path that the service needs.
  /// - Parameters:
  ///   - name: How `/readyz` names it.
  ///   - deadline: A check that takes longer has failed. It is left to end by itself.
  ///   - check: Throws an error whose description says what is wrong, without secrets.
  package func addCheck(
    _ name: String, deadline: Duration = .seconds(2), _ check: @escaping @Sendable () async throws -> Void
  ) {
    let call = DeadlineCall(name: name, deadline: deadline, runner: runner) {
      do { return Result<Void, any Error>.success(try await check()) } catch { return .failure(error) }
    }
    state.withLock { $0.checks.append(call) }
  }

  /// True from the moment that a shutdown began.
  package var isDraining: Bool { state.withLock { $0.phase == .draining } }

  func beginServing() { state.withLock { if $0.phase == .starting { $0.phase = .serving } } }
  func beginDraining() { state.withLock { $0.phase = .draining } }

  /// Runs every check, all at once. While the service starts or drains it is not ready, and nothing is asked.
  package func report() async -> HealthReport {
    let (phase, checks) = state.withLock { ($0.phase, $0.checks) }
    guard phase == .serving else { return HealthReport(status: phase.rawValue, checks: []) }
    let outcomes = await withTaskGroup(of: (Int, HealthReport.Check).self) { group in
      for (index, check) in checks.enumerated() { group.addTask { (index, await Self.outcome(of: check)) } }
      var outcomes: [(Int, HealthReport.Check)] = []
      for await outcome in group { outcomes.append(outcome) }
      return outcomes.sorted { $0.0 < $1.0 }.map(\.1)
    }
    // A drain that began meanwhile wins.
    if isDraining { return HealthReport(status: Phase.draining.rawValue, checks: []) }
    return HealthReport(status: outcomes.allSatisfy { $0.outcome == .ok } ? "ready" : "unready", checks: outcomes)
  }

  private static func outcome(of check: DeadlineCall<Result<Void, any Error>>) async -> HealthReport.Check {
    let start = ContinuousClock.now
    let result = await check()
    let milliseconds = (ContinuousClock.now - start) / .milliseconds(1)
    switch result {
    case .success: return .init(name: check.name, outcome: .ok, milliseconds: milliseconds.rounded(), reason: nil)
    case .failure(let error):
      let reason = String(String(describing: error).prefix(500))
      return .init(name: check.name, outcome: .failed, milliseconds: milliseconds.rounded(), reason: reason)
    case nil:
      return .init(name: check.name, outcome: .timedOut, milliseconds: milliseconds.rounded(), reason: "no answer before the deadline")
    }
  }
}

/// The body of `/readyz`: `{"status":"unready","checks":[{"name":"redis","outcome":"failed","milliseconds":3,"reason":"…"}]}`.
package struct HealthReport: Sendable, Encodable, Equatable {
  package enum Outcome: String, Sendable, Encodable {
    case ok, failed
    case timedOut = "timed_out"
  }

  package struct Check: Sendable, Encodable, Equatable {
    package let name: String
    package let outcome: Outcome
    package let milliseconds: Double
    package let reason: String?
  }

  /// `ready`, `unready`, `starting` or `draining`.
  package let status: String
  package let checks: [Check]

  package var isReady: Bool { status == "ready" }
}
