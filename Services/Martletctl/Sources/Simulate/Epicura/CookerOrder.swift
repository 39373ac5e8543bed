import MQTTClient
import Models

/// A command as a cooker hears it.
struct CookerOrder: Sendable, Equatable {
  enum Kind: Sendable, Equatable {
    case start(recipeID: String)
    case pause, resume, stop
  }

  let id: String
  let kind: Kind
  let issuedAt: Timestamp
  let expiresAt: Timestamp

  /// Nil for a payload that is no whole command of the Epicura document.
  init?(_ payload: [UInt8]) {
    guard let order = DeviceOrder(payload) else { return nil }
    switch order.type {
    case "cooking:start":
      guard let recipeID = order.data?.string("recipe_id") else { return nil }
      kind = .start(recipeID: recipeID)
    case "cooking:pause": kind = .pause
    case "cooking:resume": kind = .resume
    case "cooking:stop": kind = .stop
    default: return nil
    }
    (id, issuedAt, expiresAt) = (order.id, order.issuedAt, order.expiresAt)
  }

  /// Where a cooker hears commands.
  static func subscriptions(of appliance: ApplianceID) throws -> [MQTTSubscription] {
    try ["start", "pause", "resume", "stop"].compactMap { name in
      EpicuraTopic.topic(ofCommand: try EventType("cooking:\(name)"), appliance: appliance).map { MQTTSubscription($0) }
    }
  }
}

extension OrderMemory {
  mutating func judge(_ order: CookerOrder, now: Timestamp) -> Verdict {
    judge(order.id, issuedAt: order.issuedAt, expiresAt: order.expiresAt, isStop: order.kind == .stop, now: now)
  }
}
