internal import Models

/// What a client has been told of one appliance. Pure.
struct KnownEvents: Hashable, Sendable {
  /// Everything up to here.
  let since: EventID
  /// Every discrete event up to here.
  private(set) var discrete: EventID
  /// Of these types of telemetry, everything up to here.
  private(set) var telemetry: [EventType: EventID] = [:]

  init(since: EventID) {
    self.since = since
    discrete = since
  }

  /// All events behind this one are new.
  var end: EventID { telemetry.values.reduce(discrete) { max($0, $1) } }

  func isNew(_ event: Event) -> Bool { isNew(event.type, event.id) }

  /// Whether an event of this type and place in the log is new. One without a place is.
  func isNew(_ type: EventType?, _ id: EventID?) -> Bool {
    guard let id else { return true }
    guard let type, type.isTelemetry else { return id > discrete }
    return id > telemetry[type] ?? since
  }

  /// The client is told an event.
  mutating func add(_ event: Event) {
    guard let id = event.id else { return }
    if event.isTelemetry { telemetry[event.type] = max(telemetry[event.type] ?? since, id) } else { discrete = max(discrete, id) }
  }
}
