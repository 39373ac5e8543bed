package import Logging
package import NIOCore

/// What the runtime gives to the function that puts a service together.
package struct ServiceContext: Sendable {
  /// The service's name.
  package let name: String
  package let logger: Logger
  /// Descriptions and collectors; counters and timers are made with swift-metrics' own types.
  package let metrics: MetricsRegistry
  /// Takes the readiness checks.
  package let health: Health
  package let eventLoopGroup: any EventLoopGroup
  /// How long a graceful shutdown may take: who spreads goodbyes spreads them over less than this.
  package let drainPeriod: Duration
}
