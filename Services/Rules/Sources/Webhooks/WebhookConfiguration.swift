package import OutboundGate
package import ServiceRuntime

/// What bounds the delivery of webhooks.
package struct WebhookLimits: Sendable {
  /// For one attempt, from the look-up of the name to the answer's head.
  var attemptTimeout = Duration.seconds(15)
  var connectTimeout = Duration.seconds(5)
  var lookupTimeout = Duration.seconds(5)
  var schedule = RetrySchedule.standard
  var slots = EndpointSlots.Limits()
  /// How long nothing may succeed before a webhook is disabled.
  var patience = Duration.seconds(5 * 86_400)
  /// How long after a message was stored it is forgotten, whatever became of it.
  var retention = Duration.seconds(7 * 86_400)
  /// Deliveries that wait for one webhook, in each lane.
  var waitingMax = 100_000
  /// How often due deliveries are looked for, when nothing else is to be done.
  var pollInterval = Duration.milliseconds(250)
  var sweepInterval = Duration.seconds(10)

  /// When an attempt is taken for lost: after the most that it may take, with some time to note what became of it.
  var lease: Duration { attemptTimeout + .seconds(10) }
}

/// What the delivery of webhooks can be told: a part of its service's configuration.
package struct WebhookConfiguration: Sendable {
  private static let timeout = ConfigurationVariable(
    "MARTLET_WEBHOOKS_TIMEOUT_SECONDS", default: "15", unit: "seconds", meaning: "how long a webhook's receiver may take to answer")
  private static let inFlight = ConfigurationVariable(
    "MARTLET_WEBHOOKS_IN_FLIGHT_MAX", default: "256", meaning: "attempts to deliver to webhooks at a time, in all")
  private static let retention = ConfigurationVariable(
    "MARTLET_WEBHOOKS_RETENTION_DAYS", default: "7", unit: "days",
    meaning: "how long messages and what became of them are kept; also the longest that one waits")
  private static let caFile = ConfigurationVariable(
    "MARTLET_WEBHOOKS_CA_FILE", meaning: "PEM file with authorities that may sign a receiver's certificate besides those of the system")

  package static let variables = OutboundGate.variables + [timeout, inFlight, retention, caFile]

  package var gate: OutboundGate
  package var limits = WebhookLimits()
  package var caFile: String?

  package init(reading values: ConfigurationValues) throws(ConfigurationError) {
    gate = try OutboundGate(reading: values)
    caFile = values.optionalString(Self.caFile)
    limits.attemptTimeout = try values.seconds(Self.timeout, in: 1...60)
    limits.connectTimeout = min(limits.connectTimeout, limits.attemptTimeout)
    limits.lookupTimeout = min(limits.lookupTimeout, limits.attemptTimeout)
    limits.slots.total = try values.integer(Self.inFlight, in: 4...4096)
    limits.slots.troubled = limits.slots.total / 4
    limits.retention = .seconds(86_400 * (try values.integer(Self.retention, in: 1...90)))
  }

  init(gate: OutboundGate) { self.gate = gate }
}
