internal import Models
internal import Store

/// One appliance on one event loop, whatever dialects its listeners speak. Confined to that loop.
final class Topic {
  let appliance: ApplianceID
  /// Tells this interest in the appliance from an earlier one of the same loop.
  let ticket: Int
  /// Whether the feed delivers: what is read from the log from now on leaves no gap to the live events.
  private(set) var isLive = false
  /// The last event that went through here to the listeners; before the first, the last one that was in the log when the topic became live.
  private(set) var position = EventID.zero
  /// What this tick has brought, in bytes.
  private(set) var pendingBytes = 0

  private var audiences: [any Audience] = []
  private var pendingPosition = EventID.zero

  init(_ appliance: ApplianceID, ticket: Int) {
    self.appliance = appliance
    self.ticket = ticket
  }

  /// Whether nobody listens.
  var isIdle: Bool { audiences.isEmpty }

  /// The listeners of one dialect, if there are any.
  func audience(of dialect: Dialect) -> (any Audience)? { audiences.first { $0.dialect == dialect } }

  func add(_ audience: any Audience) { audiences.append(audience) }
  func remove(_ audience: any Audience) { audiences.removeAll { $0 === audience } }

  /// The feed delivers from now on what is behind `position` in the log.
  func becameLive(position told: EventID) {
    isLive = true
    position = max(position, told)
    for audience in audiences { audience.becameLive(position: told) }
  }

  func append(_ message: UnsafeRawBufferPointer, id: EventID?) {
    pendingBytes += message.count
    if let id { pendingPosition = max(pendingPosition, id) }
    for audience in audiences { audience.append(message, id: id) }
  }

  /// Ends a tick.
  func flush() {
    pendingBytes = 0
    position = max(position, pendingPosition)
    for audience in audiences { audience.flush() }
  }
}

/// Those who listen to one appliance in one dialect on one event loop. What they are sent is encoded here, once for all of them.
protocol Audience: AnyObject {
  var dialect: Dialect { get }
  /// Events behind this one come from now on; those up to it are in the log.
  func becameLive(position: EventID)
  /// Takes in a live event, as the bus carries it.
  func append(_ message: UnsafeRawBufferPointer, id: EventID?)
  /// Ends a tick: what came is sent.
  func flush()
}
