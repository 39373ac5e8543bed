import Models

extension Condition {
  static let members: Set<String> = [
    "metric", "operator", "value", "low", "high", "clear", "clear_low", "clear_high", "rate_per_seconds", "over_seconds", "no_data_seconds",
    "event", "where", "until",
  ]

  /// One of
  ///
  /// - `{"metric":"temperature","operator":">","value":200,"clear":190}`; operators are `>`, `>=`, `<`, `<=`, `==`, `!=`
  /// - `{"metric":"ph","operator":"outside","low":6.5,"high":8,"clear_low":6.6,"clear_high":7.9}`, or `between`
  /// - either with `"rate_per_seconds":60` and `"over_seconds":30`: the change in so many seconds, measured over so many
  /// - `{"metric":"temperature","no_data_seconds":120}`; without `metric`, any event of the appliance counts
  /// - `{"event":"cooking:error","where":[{"field":"code","operator":"==","value":"E1"}],"until":{"event":"cooking:started"}}`
  init(_ when: RuleReader) throws(RuleError) {
    let kinds = ["operator", "no_data_seconds", "event"].filter(when.has)
    guard kinds.count == 1 else {
      let found = kinds.isEmpty ? "none" : kinds.joined(separator: " and ")
      throw RuleError(when.base, "must have one of operator, no_data_seconds and event; it has \(found)")
    }
    switch kinds[0] {
    case "event":
      try Self.refuse(Self.members.subtracting(["event", "where", "until"]), in: when, with: "event")
      let until = try when.inner("until", known: ["event", "where"])
      self = .event(try EventMatch(when), until: try until.map { until throws(RuleError) in try EventMatch(until) })
    case "no_data_seconds":
      try Self.refuse(Self.members.subtracting(["metric", "no_data_seconds"]), in: when, with: "no_data_seconds")
      self = .silence(metric: try when.pattern("metric"), try when.seconds("no_data_seconds", in: 1...Rule.secondsMax) ?? .zero)
    default:
      try Self.refuse(["where", "until"], in: when, with: "operator")
      guard let metric = try when.pattern("metric") else { throw RuleError(when.path("metric"), "is missing: a metric is wanted") }
      let threshold = try Threshold(when)
      guard let per = try when.seconds("rate_per_seconds", in: 0.001...Rule.secondsMax) else {
        try Self.refuse(["over_seconds"], in: when, with: "operator")
        self = .threshold(metric: metric, threshold)
        return
      }
      self = .rate(metric: metric, Rate(threshold: threshold, per: per, over: try when.seconds("over_seconds", in: 0.001...86_400) ?? per))
    }
  }

  private static func refuse(_ names: Set<String>, in when: RuleReader, with kind: String) throws(RuleError) {
    for name in names.sorted() where when.has(name) { throw RuleError(when.path(name), "does not go with '\(when.path(kind))'") }
  }
}

extension Threshold {
  init(_ reader: RuleReader) throws(RuleError) {
    let word = reader.object.string("operator") ?? ""
    if word == "between" || word == "outside" {
      (raises, holds) = try Self.range(reader, isInside: word == "between")
    } else {
      for name in ["low", "high", "clear_low", "clear_high"] where reader.has(name) {
        throw RuleError(reader.path(name), "does not go with the operator '\(word.prefix(20))'")
      }
      let value = try reader.required("value")
      guard let region = Region(word, value) else {
        throw RuleError(reader.path("operator"), "must be one of > >= < <= == != between outside")
      }
      raises = region
      holds = try reader.number("clear").map { clear throws(RuleError) in try Self.wider(region, clear, reader) } ?? region
    }
  }

  /// The same bound, moved to where what was raised is cleared.
  private static func wider(_ region: Region, _ clear: Double, _ reader: RuleReader) throws(RuleError) -> Region {
    switch region {
    case .above(let value, let inclusive):
      guard clear <= value else {
        throw RuleError(reader.path("clear"), "contradicts 'value': above it nothing can clear")
      }
      return .above(clear, inclusive: inclusive && clear == value)
    case .below(let value, let inclusive):
      guard clear >= value else {
        throw RuleError(reader.path("clear"), "contradicts 'value': below it nothing can clear")
      }
      return .below(clear, inclusive: inclusive && clear == value)
    default: throw RuleError(reader.path("clear"), "does not go with == and !=, which have no side to clear on")
    }
  }

  private static func range(_ reader: RuleReader, isInside: Bool) throws(RuleError) -> (Region, Region) {
    for name in ["value", "clear"] where reader.has(name) { throw RuleError(reader.path(name), "does not go with between and outside") }
    let (low, high) = (try reader.required("low"), try reader.required("high"))
    guard low < high else { throw RuleError(reader.path("low"), "must be less than 'high'") }
    let (clearLow, clearHigh) = (try reader.number("clear_low") ?? low, try reader.number("clear_high") ?? high)
    let isWider = isInside ? clearLow <= low && clearHigh >= high : clearLow >= low && clearHigh <= high && clearLow <= clearHigh
    guard isWider else {
      throw RuleError(
        reader.path(reader.has("clear_low") ? "clear_low" : "clear_high"),
        "contradicts 'low' and 'high': the clear levels lie \(isInside ? "outside of" : "between") them")
    }
    return isInside
      ? (.between(low...high), .between(clearLow...clearHigh)) : (.outside(low...high), .outside(clearLow...clearHigh))
  }
}

extension Region {
  /// Nil for an operator that is none.
  init?(_ word: String, _ value: Double) {
    switch word {
    case ">": self = .above(value, inclusive: false)
    case ">=": self = .above(value, inclusive: true)
    case "<": self = .below(value, inclusive: false)
    case "<=": self = .below(value, inclusive: true)
    case "==": self = .equal(value)
    case "!=": self = .different(value)
    default: return nil
    }
  }
}

extension EventMatch {
  init(_ reader: RuleReader) throws(RuleError) {
    guard let type = try reader.pattern("event") else { throw RuleError(reader.path("event"), "is missing: an event's type is wanted") }
    self.type = type
    var fields: [FieldTest] = []
    for (index, element) in try reader.elements("where", countMax: 16).enumerated() {
      let path = "\(reader.path("where"))[\(index)]"
      guard let object = try? JSONObject(parsing: Array(element)) else { throw RuleError(path, "must be an object") }
      fields.append(try FieldTest(RuleReader(object, base: path, known: ["field", "operator", "value", "low", "high"])))
    }
    self.fields = fields
  }
}

extension EventMatch.FieldTest {
  init(_ reader: RuleReader) throws(RuleError) {
    guard let field = try reader.text("field", 1...128) else {
      throw RuleError(reader.path("field"), "is missing: the path of a field is wanted")
    }
    path = field.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    let raw = reader.object.raw("value").map { String(decoding: $0, as: UTF8.self) }
    guard let text = reader.object.string("value") ?? raw.flatMap({ ["true", "false"].contains($0) ? $0 : nil }) else {
      want = .number(try Threshold(reader).raises)
      return
    }
    switch reader.object.string("operator") {
    case "==": want = .text(text, isWanted: true)
    case "!=": want = .text(text, isWanted: false)
    default: throw RuleError(reader.path("operator"), "must be == or != beside a value that is no number")
    }
  }
}
