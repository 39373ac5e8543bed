import Foundation
import Logging
import Metrics
import ServiceLifecycle
import ServiceRuntime
import Synchronization

/// A service with nothing to do, for the tests that watch a real process.
@main struct ServiceRuntimeProbe {
  static func main() async {
    await ServiceRuntime.run("probe", configuration: ProbeConfiguration.self) { configuration, context in
      Counter(label: "probe_starts_total", dimensions: [("behavior", configuration.behavior.rawValue)]).increment()
      context.health.addCheck("file", deadline: .seconds(60)) {
        guard FileManager.default.fileExists(atPath: configuration.readyFile) else { throw ProbeError.notReady }
      }
      if configuration.behavior == .refuses { throw ProbeError.refused }
      return [
        ProbePart(name: "first", behavior: .obeys, logger: context.logger),
        ProbePart(name: "second", behavior: configuration.behavior, logger: context.logger),
      ]
    }
  }
}

enum ProbeError: Error, CustomStringConvertible {
  case notReady, refused, broke
  var description: String {
    switch self {
    case .notReady: "The file that says ready is not there."
    case .refused: "The probe was told to refuse to start."
    case .broke: "The probe was told to break."
    }
  }
}

struct ProbeConfiguration: ServiceConfiguration {
  enum Behavior: String, CaseIterable { case obeys, lingers, deaf, breaks, refuses }

  static let summary = "does nothing, observably."
  static let adminPortDefault = 9199
  static let behaviorVariable = ConfigurationVariable(
    "MARTLET_PROBE_BEHAVIOR", default: "obeys", meaning: "obeys, lingers, deaf, breaks or refuses")
  static let readyFileVariable = ConfigurationVariable("MARTLET_PROBE_READY_FILE", default: "/", meaning: "ready while this file exists")
  static let secretVariable = ConfigurationVariable("MARTLET_PROBE_SECRET", isSecret: true, meaning: "something to keep")
  static let variables = [behaviorVariable, readyFileVariable, secretVariable]

  let behavior: Behavior
  let readyFile: String

  init(reading values: ConfigurationValues) throws(ConfigurationError) {
    behavior = try values.choice(Self.behaviorVariable)
    readyFile = try values.string(Self.readyFileVariable)
    if let secret = try values.optionalSecret(Self.secretVariable), secret.utf8.count < 8 {
      throw values.invalid(Self.secretVariable, wants: "at least 8 bytes")
    }
  }
}

/// A part that says when it runs and when it stops, and stops in the way that it was told.
struct ProbePart: Service {
  let name: String
  let behavior: ProbeConfiguration.Behavior
  let logger: Logger
  /// Held for ever, as a part that hangs holds on to what it waits for.
  private static let deaf = Mutex<CheckedContinuation<Void, Never>?>(nil)

  func run() async throws {
    logger.info("part runs", metadata: ["part": "\(name)"])
    defer { logger.info("part stopped", metadata: ["part": "\(name)"]) }
    switch behavior {
    case .breaks: throw ProbeError.broke
    case .lingers: await untilCancelled()
    case .deaf: await withCheckedContinuation { continuation in Self.deaf.withLock { $0 = continuation } }
    case .obeys, .refuses: try await gracefulShutdown()
    }
  }

  private func untilCancelled() async {
    let (never, _) = AsyncStream.makeStream(of: Void.self)
    for await _ in never {}
  }
}
