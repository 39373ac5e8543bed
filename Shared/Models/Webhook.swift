/// What webhooks tell of. The words are the `type` of a message's body.
package enum WebhookEventType: String, Hashable, Sendable, CaseIterable {
  /// A sensor's value, at most one in five seconds of each sensor.
  case sensorReading = "sensor_reading"
  case ruleTriggered = "rule.triggered"
  case alarmRaised = "alarm.raised"
  case alarmAcknowledged = "alarm.acknowledged"
  case alarmCleared = "alarm.cleared"
  case applianceOnline = "appliance.online"
  case applianceOffline = "appliance.offline"
  case commandFailed = "command.failed"
  case sessionCompleted = "session.completed"
  /// Another webhook of the same owner is not tried any more.
  case webhookDisabled = "webhook.disabled"
  /// Somebody tries out this webhook.
  case webhookTest = "webhook.test"

  /// Those that a webhook can be narrowed to; a test comes to whichever is tested.
  package static let selectable = allCases.filter { $0 != .webhookTest }

  /// Whether it may wait behind everything else, and is the first to go when an endpoint's queue is full.
  package var isTelemetry: Bool { self == .sensorReading }
}

/// The name of one webhook: a UUID in lower case, which PostgreSQL gives.
package struct WebhookID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package let text: String

  /// Nil for what is no UUID of 36 characters.
  package init?(_ text: String) {
    guard UUIDText.isValid(text) else { return nil }
    self.text = text.lowercased()
  }

  package var description: String { text }
  package static func < (left: WebhookID, right: WebhookID) -> Bool { left.text < right.text }
}

/// Why a webhook is not tried any more.
package enum WebhookDisabling: String, Hashable, Sendable, CaseIterable {
  /// Somebody wanted it so.
  case user
  /// The receiver answered 410.
  case gone
  /// No attempt has succeeded for five days.
  case failing
}

/// How far a message has come with one webhook.
package enum WebhookDeliveryState: String, Hashable, Sendable, CaseIterable {
  /// It is or will be tried.
  case pending
  case delivered
  /// It was given up; it can be retried by hand.
  case dead
}

/// Why an attempt to deliver failed, for programs.
package enum WebhookFailure: String, Hashable, Sendable, CaseIterable {
  /// The URL is none that this installation calls.
  case urlRefused = "url_refused"
  /// The host has no address, or its name servers did not answer in time.
  case nameNotResolved = "name_not_resolved"
  /// The host resolves to an address that is not public and not allowed.
  case addressRefused = "address_refused"
  case connectionFailed = "connection_failed"
  case tlsFailed = "tls_failed"
  case timeout
  /// The connection broke before an answer came.
  case connectionLost = "connection_lost"
  /// An answer that is no success: redirects are not followed.
  case status
  /// The process that made the attempt ended; whether the message arrived is not known.
  case interrupted
  /// More waited for this webhook than is kept, and this was among the oldest.
  case overflow
}
