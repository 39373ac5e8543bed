import Models

extension Rule {
  package static let definitionBytesMax = 16_384
  static let secondsMax = 31.0 * 86_400

  /// Reads a rule from its JSON:
  ///
  /// ```json
  /// {"id":"oil-too-hot","name":"Oil too hot","enabled":true,"severity":"critical",
  ///  "appliances":["EPIC-*"],"dialects":["epicura"],
  ///  "when":{"metric":"temperature","operator":">","value":200,"clear":190},
  ///  "for_seconds":5,"cooldown_seconds":60,"hours":{"from":"06:00","until":"22:00","utc_offset_minutes":60},
  ///  "actions":{"alarm":true,"webhook":true,"event":true,"command":{"type":"cooking:stop","data":{}}}}
  /// ```
  ///
  /// Only `id` and `when` must be there; what `when` can be stands at `Condition.init(_:)`. Without `actions`: alarm, webhook and event.
  ///
  /// - Throws: `RuleError` that names the member.
  package init(parsing text: [UInt8]) throws(RuleError) {
    guard text.count <= Self.definitionBytesMax else { throw RuleError("", "A rule has at most \(Self.definitionBytesMax) bytes") }
    let object: JSONObject
    do { object = try JSONObject(parsing: text) } catch { throw RuleError("", "The rule cannot be read: \(error)") }
    let reader = try RuleReader(object, known: Self.members)
    let id = try Self.id(reader)
    guard let when = try reader.inner("when", known: Condition.members) else {
      throw RuleError("when", "is missing: an object that says what to watch for is wanted")
    }
    let condition = try Condition(when)
    self.init(
      id: id, name: try reader.text("name", 0...255) ?? id, isEnabled: try reader.bool("enabled", default: true),
      severity: try reader.word("severity", default: Severity.warning), scope: try RuleScope(reader), condition: condition,
      holdFor: try Self.holdFor(reader, condition), cooldown: try reader.seconds("cooldown_seconds", in: 0...Self.secondsMax) ?? .zero,
      hours: try EnabledHours(reader), actions: try RuleActions(reader, condition), definition: object.bytes,
      key: Self.key(id, object.raw("when") ?? []))
  }

  private static let members: Set<String> = [
    "id", "name", "enabled", "severity", "appliances", "dialects", "when", "for_seconds", "cooldown_seconds", "hours", "actions",
  ]

  private static func id(_ reader: RuleReader) throws(RuleError) -> String {
    guard let id = try reader.text("id", 1...64) else { throw RuleError("id", "is missing: 1 to 64 of A-Z a-z 0-9 . _ - are wanted") }
    guard (try? ApplianceID(id)) != nil else { throw RuleError("id", "must be 1 to 64 of A-Z a-z 0-9 . _ -") }
    return id
  }

  private static func holdFor(_ reader: RuleReader, _ condition: Condition) throws(RuleError) -> Duration {
    guard let seconds = try reader.seconds("for_seconds", in: 0...secondsMax), seconds > .zero else { return .zero }
    switch condition {
    case .event: throw RuleError("for_seconds", "contradicts 'when.event': an event is a moment and lasts for no time")
    case .silence: throw RuleError("for_seconds", "contradicts 'when.no_data_seconds', which says already how long")
    case .threshold, .rate: return seconds
    }
  }

  /// FNV-1a (64 bits).
  private static func key(_ id: String, _ when: ArraySlice<UInt8>) -> UInt64 {
    (Array(id.utf8) + [0] + when).reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

extension RuleScope {
  fileprivate init(_ reader: RuleReader) throws(RuleError) {
    appliances = try reader.texts("appliances", countMax: 256).compactMap(Pattern.init)
    var dialects: Set<Dialect> = []
    for word in try reader.texts("dialects", countMax: Dialect.allCases.count) {
      guard let dialect = Dialect(rawValue: word) else {
        let known = Dialect.allCases.map(\.rawValue).joined(separator: ", ")
        throw RuleError("dialects", "names '\(word.prefix(40))'; known are \(known)")
      }
      dialects.insert(dialect)
    }
    self.dialects = dialects
  }
}

extension EnabledHours {
  fileprivate init?(_ reader: RuleReader) throws(RuleError) {
    guard let hours = try reader.inner("hours", known: ["from", "until", "utc_offset_minutes"]) else { return nil }
    from = try Self.minute(hours, "from")
    until = try Self.minute(hours, "until")
    guard from != until else { throw RuleError("hours", "begin and end at the same minute: leave them out for the whole day") }
    let offset = try hours.number("utc_offset_minutes") ?? 0
    guard let whole = Int(exactly: offset), (-840...840).contains(whole) else {
      throw RuleError("hours.utc_offset_minutes", "must be a whole number of minutes from -840 to 840")
    }
    utcOffset_minutes = whole
  }

  private static func minute(_ reader: RuleReader, _ name: String) throws(RuleError) -> Int {
    let parts = (try reader.text(name, 5...5) ?? "").split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy(\.isNumber) }), let hour = Int(parts[0]),
      let minute = Int(parts[1]), hour < 24, minute < 60
    else { throw RuleError(reader.path(name), "must be a time of day like 06:30") }
    return hour * 60 + minute
  }
}

extension RuleActions {
  fileprivate init(_ reader: RuleReader, _ condition: Condition) throws(RuleError) {
    let actions = try reader.inner("actions", known: ["alarm", "webhook", "event", "command"])
    alarm = try actions?.bool("alarm", default: false) ?? true
    webhook = try actions?.bool("webhook", default: false) ?? true
    event = try actions?.bool("event", default: false) ?? true
    command = try actions.map { actions throws(RuleError) in try Self.order(actions, condition) } ?? nil
    guard alarm || webhook || event || command != nil else { throw RuleError("actions", "name nothing to do") }
  }

  private static func order(_ actions: RuleReader, _ condition: Condition) throws(RuleError) -> Order? {
    guard let order = try actions.inner("command", known: ["type", "data"]) else { return nil }
    guard let type = try order.text("type", 1...EventType.lengthMax).flatMap({ try? EventType($0) }) else {
      throw RuleError("actions.command.type", "must be a command's type, such as cooking:stop")
    }
    if order.has("data"), order.object.object("data") == nil { throw RuleError("actions.command.data", "must be an object") }
    if case .event(let match, _) = condition, !match.type.isLiteral || match.type.description.hasPrefix("command:") {
      // A command's own events would let the rule answer itself for ever.
      throw RuleError("actions.command", "is only for a condition on numbers or on one event type that is not of a command's life")
    }
    return Order(type: type, data: order.object.object("data")?.bytes ?? Array("{}".utf8))
  }
}
