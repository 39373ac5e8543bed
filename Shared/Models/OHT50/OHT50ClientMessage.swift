/// What a console says (the OHT-50 document, sections 1.2 and 3; SPEC, sections 2 to 4).
package enum OHT50ClientMessage: Hashable, Sendable {
  case auth(token: String)
  case subscribe(OHT50Subscription)
  /// From all robots when none is named.
  case unsubscribe([OHT50Pattern], ApplianceID?)
  /// How often telemetry is to come, in Hz.
  case setTelemetryRate(Double)
  case getSystemStatus(ApplianceID?, requestID: String?)
  /// To every robot that the console is subscribed to and may command, when none is named.
  case emergencyStop(ApplianceID?, reason: String?, requestID: String?)
  /// `{"type":"ping"}`, for clients that cannot send ping frames.
  case ping

  /// The longest `request_id`, in bytes of UTF-8.
  package static let requestIDLengthMax_bytes = 128
  /// A longer reason of a stop is cut.
  package static let reasonLengthMax = 256

  /// Reads one text frame. Throws what the client is to be told.
  package init(parsing frame: [UInt8]) throws(OHT50Refusal) {
    let object: JSONObject
    do { object = try JSONObject(parsing: frame) } catch { throw .invalidMessage("The message is not valid: \(error)") }
    guard let type = object.string("type") else { throw .invalidMessage("'type' is missing or no string") }
    switch type {
    case "auth":
      guard let token = object.string("token") else { throw .authenticationFailed }
      self = .auth(token: token)
    case "subscribe": self = .subscribe(try OHT50Subscription(object))
    case "unsubscribe": self = .unsubscribe(try OHT50Subscription.patterns(object), try Self.appliance(object))
    case "set_telemetry_rate": self = .setTelemetryRate(try OHT50Rate.check(object.number("rate")))
    case "get_system_status": self = .getSystemStatus(try Self.appliance(object), requestID: try Self.requestID(object))
    case "emergency_stop": self = Self.stop(object)
    case "ping": self = .ping
    default: throw .unknownEventType(type)
    }
  }

  /// A stop is not refused for what is beside it. What is unclear is left out, and without a robot's name it is for all.
  private static func stop(_ object: JSONObject) -> Self {
    .emergencyStop(
      try? appliance(object), reason: object.string("reason").map { String($0.prefix(reasonLengthMax)) }, requestID: try? requestID(object))
  }

  fileprivate static func appliance(_ object: JSONObject) throws(OHT50Refusal) -> ApplianceID? {
    guard object.contains("appliance_id") else { return nil }
    guard let id = object.string("appliance_id").flatMap({ try? ApplianceID($0) }) else {
      throw .invalidMessage("'appliance_id' must be the id of a robot")
    }
    return id
  }

  private static func requestID(_ object: JSONObject) throws(OHT50Refusal) -> String? {
    guard object.contains("request_id") else { return nil }
    guard let id = object.string("request_id"), id.utf8.count <= requestIDLengthMax_bytes else {
      throw .invalidMessage("'request_id' must be a string of at most \(requestIDLengthMax_bytes) bytes")
    }
    return id
  }
}

/// What a console wants to get, and how often.
package struct OHT50Subscription: Hashable, Sendable {
  package var patterns: [OHT50Pattern]
  /// At most so many events of each type a second; nil for what the document's table allows.
  package let rate_hz: Double?
  /// One robot; nil for all that the user may see.
  package var applianceID: ApplianceID?
  /// The last event that the client has seen, if it named one.
  package let since: EventID?

  /// The URL's `subscription`: repeated, comma-separated or a JSON array (SPEC, section 4). Nil when it has none.
  package init?(queryValues: [String], applianceID: ApplianceID?) throws(OHT50Refusal) {
    var patterns: [OHT50Pattern] = []
    for value in queryValues where !value.isEmpty {
      if value.hasPrefix("[") {
        guard let object = try? JSONObject(parsing: Array("{\"events\":\(value)}".utf8)), object.members.count == 1 else {
          throw .invalidMessage("'subscription' must be event types, parted by commas or as a JSON array")
        }
        patterns += try Self.patterns(object)
      } else {
        for name in value.split(separator: ",", omittingEmptySubsequences: false) { patterns.append(try OHT50Pattern(String(name))) }
      }
    }
    guard patterns.count <= OHT50Pattern.countMax else {
      throw .invalidMessage("'subscription' must name 1 to \(OHT50Pattern.countMax) event types; it has \(patterns.count)")
    }
    guard !patterns.isEmpty else { return nil }
    (self.patterns, self.applianceID, rate_hz, since) = (patterns, applianceID, nil, nil)
  }

  init(_ object: JSONObject) throws(OHT50Refusal) {
    patterns = try Self.patterns(object)
    rate_hz = object.contains("rate") ? try OHT50Rate.check(object.number("rate")) : nil
    applianceID = try OHT50ClientMessage.appliance(object)
    guard object.contains("since") else {
      since = nil
      return
    }
    guard let id = object.string("since").flatMap(EventID.init) else { throw .invalidMessage("'since' must be the 'id' of an event") }
    since = id
  }

  /// `events`: 1 to `OHT50Pattern.countMax` strings.
  static func patterns(_ object: JSONObject) throws(OHT50Refusal) -> [OHT50Pattern] {
    guard let elements = object.elements("events"), elements.allSatisfy({ $0.first == UInt8(ascii: "\"") }) else {
      throw .invalidMessage("'events' must be an array of event types")
    }
    guard (1...OHT50Pattern.countMax).contains(elements.count) else {
      throw .invalidMessage("'events' must name 1 to \(OHT50Pattern.countMax) event types; it has \(elements.count)")
    }
    var patterns: [OHT50Pattern] = []
    for element in elements { patterns.append(try OHT50Pattern(JSONString.decode(element))) }
    return patterns
  }
}

/// Events of one type a second, as a client may ask for them.
package enum OHT50Rate {
  /// From one in a hundred seconds to the document's "Max Events/sec".
  package static let possible_hz = 0.01...1000.0

  static func check(_ rate: Double?) throws(OHT50Refusal) -> Double {
    guard let rate, possible_hz.contains(rate) else { throw .invalidRate }
    return rate
  }
}
