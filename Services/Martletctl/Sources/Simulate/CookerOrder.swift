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
    guard let object = try? JSONObject(parsing: payload), let id = object.string("command_id"),
      let issuedAt = object.string("issued_at").flatMap(Timestamp.init(iso8601:)),
      let expiresAt = object.string("expires_at").flatMap(Timestamp.init(iso8601:))
    else { return nil }
    switch object.string("type") {
    case "cooking:start":
      guard let recipeID = object.object("data")?.string("recipe_id") else { return nil }
      kind = .start(recipeID: recipeID)
    case "cooking:pause": kind = .pause
    case "cooking:resume": kind = .resume
    case "cooking:stop": kind = .stop
    default: return nil
    }
    (self.id, self.issuedAt, self.expiresAt) = (id, issuedAt, expiresAt)
  }

  /// Where a cooker hears commands.
  static func subscriptions(of appliance: ApplianceID) throws -> [MQTTSubscription] {
    try ["start", "pause", "resume", "stop"].compactMap { name in
      EpicuraTopic.topic(ofCommand: try EventType("cooking:\(name)"), appliance: appliance).map { MQTTSubscription($0) }
    }
  }
}

/// What a cooker remembers of commands, so that none is carried out twice, late, or after a stop that came later. Pure.
struct OrderMemory: Sendable {
  enum Verdict: Equatable {
    case obey
    /// Not even answered: it has its outcome already.
    case ignore
    case refuse(String)
  }

  private static let countMax = 256
  /// Oldest first.
  private var ids: [String] = []
  private var lastStop: Timestamp?

  mutating func judge(_ order: CookerOrder, now: Timestamp) -> Verdict {
    guard !ids.contains(order.id), now < order.expiresAt else { return .ignore }
    ids.append(order.id)
    if ids.count > Self.countMax { ids.removeFirst() }
    if order.kind == .stop {
      lastStop = max(lastStop ?? order.issuedAt, order.issuedAt)
    } else if let lastStop, order.issuedAt < lastStop {
      return .refuse("A stop was sent after this command.")
    }
    return .obey
  }
}
