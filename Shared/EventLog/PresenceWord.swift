package import Models

/// What is to be told of an appliance that was heard, or has gone: an `appliance:status` in its name (deploy/decisions/0020). Pure.
package enum PresenceWord: String, Hashable, Sendable {
  case online
  /// It was silent for too long.
  case offline
  /// Its connection has ended.
  case disconnected

  /// It was heard: online, if the last word before was that it is offline, or there was none.
  package init?(heardAt: Timestamp, told: Event?) {
    if let told {
      // Heard before that word, which may be its last will: it is the newer one.
      guard Self.saysOffline(told), heardAt > told.id?.receivedAt ?? told.timestamp else { return nil }
    }
    self = .online
  }

  /// It was silent: offline, unless that was the last word.
  package init?(silentAfter told: Event?) {
    if let told, Self.saysOffline(told) { return nil }
    self = .offline
  }

  /// Its connection has ended: offline, unless that was the last word.
  package init?(disconnectedAfter told: Event?) {
    if let told, Self.saysOffline(told) { return nil }
    self = .disconnected
  }

  private static func saysOffline(_ status: Event) -> Bool {
    (try? JSONObject(parsing: status.data))?.string("status") == Self.offline.rawValue
  }

  private var data: String {
    switch self {
    case .online: #"{"status":"online"}"#
    case .offline: #"{"status":"offline","reason":"silent"}"#
    case .disconnected: #"{"status":"offline","reason":"disconnected"}"#
    }
  }

  /// Of several replicas that tell it, one is heard: what it takes the place of is in its fingerprint.
  package func entry(of appliance: ApplianceID, insteadOf told: Event?, at now: Timestamp) -> LogEntry {
    let before = Array((told?.id?.description ?? "").utf8)
    return LogEntry(
      .event(Event(type: .applianceStatus, applianceID: appliance, timestamp: now, data: Array(data.utf8))),
      fingerprint: LogEntry.fingerprint("presence", Array(rawValue.utf8), Array(appliance.rawValue.utf8), before),
      mayBeDuplicate: true, window: .everyone, order: now)
  }
}
