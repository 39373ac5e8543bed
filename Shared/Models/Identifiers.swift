/// Why a value from outside is none of ours. The texts name the thing and what it must be, and cut what they quote.
package enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
  case invalidApplianceID(String)
  case invalidEventType(String)
  case invalidTimestamp(String)
  case missing(String)
  case malformed(JSONError)
  case wrongType(path: String, wanted: String)

  package var description: String {
    switch self {
    case .invalidApplianceID(let text):
      "'\(text.prefix(80))' is no appliance id: 1 to 64 characters of A-Z a-z 0-9 . _ - are wanted"
    case .invalidEventType(let text): "'\(text.prefix(80))' is no event type: 1 to 64 characters of A-Z a-z 0-9 . _ : - are wanted"
    case .invalidTimestamp(let text): "'\(text.prefix(40))' is no ISO 8601 timestamp with a zone"
    case .missing(let name): "'\(name)' is missing"
    case .malformed(let error): error.description
    case .wrongType(let path, let wanted): "'\(path)' must be \(wanted)"
    }
  }
}

/// The name of one appliance: 1 to 64 of `A-Z a-z 0-9 . _ -` (SPEC, section 1).
package struct ApplianceID: Hashable, Comparable, Sendable, CustomStringConvertible {
  package static let lengthMax = 64
  package let rawValue: String

  package init(_ text: String) throws(ModelError) {
    guard (1...Self.lengthMax).contains(text.utf8.count), text.utf8.allSatisfy(isNameByte) else { throw .invalidApplianceID(text) }
    rawValue = text
  }

  package var description: String { rawValue }
  package static func < (left: ApplianceID, right: ApplianceID) -> Bool { left.rawValue < right.rawValue }
}

/// What kind of event it is, as its dialect names it: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
package struct EventType: Hashable, Sendable, CustomStringConvertible {
  package static let lengthMax = 64
  package let rawValue: String

  /// What a camera last said of itself (the signaling document, "Device Presence").
  package static let appliancePresence = EventType(known: "appliance:presence")

  /// How an appliance is, in its own words, those of its last will, or ours when it is silent: `{"status":"online"}`.
  package static let applianceStatus = EventType(known: "appliance:status")

  /// A batch of a lab controller's readings; see `WebMACSDatapoints`.
  package static let datapoints = EventType(known: "telemetry:datapoints")

  /// The life of a cooking session (the Epicura document, "Server Events").
  package static let cookingSession = ["started", "progress", "stage_change", "complete", "error"].map { EventType(known: "cooking:\($0)") }

  /// The life of a command (SPEC, section 4).
  package static let commandRequested = EventType(known: "command:requested")
  package static let commandSent = EventType(known: "command:sent")
  package static let commandAcknowledged = EventType(known: "command:acknowledged")
  package static let commandFailed = EventType(known: "command:failed")

  /// What rules say, and the life of an alarm: their `data` is made in `Shared/Store/AlarmMessages.swift`.
  package static let ruleTriggered = EventType(known: "rule:triggered")
  package static let alarmRaised = EventType(known: "alarm:raised")
  package static let alarmUpdated = EventType(known: "alarm:updated")
  package static let alarmAcknowledged = EventType(known: "alarm:acknowledged")
  package static let alarmCleared = EventType(known: "alarm:cleared")

  /// A name that the source text spells out.
  init(known: String) { rawValue = known }

  /// Whether only Martlet itself tells events of this type: what became of commands, alarms and rules is not a device's to say.
  package var isReserved: Bool { ["command:", "alarm:", "rule:"].contains(where: rawValue.hasPrefix) }

  package init(_ text: String) throws(ModelError) {
    guard (1...Self.lengthMax).contains(text.utf8.count), text.utf8.allSatisfy({ isNameByte($0) || $0 == UInt8(ascii: ":") }) else {
      throw .invalidEventType(text)
    }
    rawValue = text
  }

  package var description: String { rawValue }

  /// Whether a slow client may be given only the newest of this type. Everything else is discrete and is never dropped:
  /// stage changes, alarms, errors, acknowledgements, everything of safety. Telemetry is `telemetry`, what begins with `telemetry.` or `telemetry:`, and what
  /// the dialects repeat to tell how things stand.
  package var isTelemetry: Bool {
    Self.repeated.contains(rawValue) || rawValue == "telemetry" || rawValue.hasPrefix("telemetry.") || rawValue.hasPrefix("telemetry:")
  }

  private static let repeated: Set<String> = ["cooking:progress", "reefnet:status", "system.status", "mission.progress"]

  /// Whether it tells of people's safety (the OHT-50 document's `safety.*`): always sent, and at once.
  package var isSafety: Bool { rawValue.hasPrefix("safety.") }
}

private func isNameByte(_ byte: UInt8) -> Bool {
  switch byte {
  case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
    UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
    true
  default: false
  }
}

/// An event's place in its shard of the durable log, `milliseconds-sequence`: a Redis stream id. Within one appliance, the
/// order of ids is the order of events.
package struct EventID: Hashable, Comparable, Sendable, LosslessStringConvertible {
  package let milliseconds: UInt64
  package let sequence: UInt64

  package static let zero = EventID(milliseconds: 0, sequence: 0)

  package init(milliseconds: UInt64, sequence: UInt64) {
    self.milliseconds = milliseconds
    self.sequence = sequence
  }

  /// Reads `milliseconds-sequence`, both in plain decimal digits; nil for anything else.
  package init?(_ description: String) {
    let parts = description.utf8.split(separator: UInt8(ascii: "-"), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, let milliseconds = Self.number(parts[0]), let sequence = Self.number(parts[1]) else { return nil }
    self.init(milliseconds: milliseconds, sequence: sequence)
  }

  package var description: String { "\(milliseconds)-\(sequence)" }

  package static func < (left: EventID, right: EventID) -> Bool {
    (left.milliseconds, left.sequence) < (right.milliseconds, right.sequence)
  }

  /// When the log took the event in, by the log's own clock.
  package var receivedAt: Timestamp { Timestamp(microseconds: Int64(clamping: milliseconds).multipliedClamping(by: 1000)) }

  private static func number(_ digits: Substring.UTF8View) -> UInt64? {
    guard let first = digits.first, first != UInt8(ascii: "+"), first != UInt8(ascii: "-") else { return nil }
    return UInt64(Substring(digits))
  }
}

extension Int64 {
  fileprivate func multipliedClamping(by factor: Int64) -> Int64 {
    let (product, overflow) = multipliedReportingOverflow(by: factor)
    return overflow ? .max : product
  }
}
