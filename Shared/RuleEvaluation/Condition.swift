import Models

/// What a rule watches for.
package enum Condition: Hashable, Sendable {
  /// A number is where it should not be.
  case threshold(metric: Pattern, Threshold)
  /// A number changes faster or slower than it should.
  case rate(metric: Pattern, Rate)
  /// A metric that had been heard of, or with nil the appliance as a whole, has said nothing for so long.
  case silence(metric: Pattern?, Duration)
  /// Something has happened. It lasts until an event of `until`, where there is one.
  case event(EventMatch, until: EventMatch?)
}

/// Where numbers raise, and where they keep what was raised: hysteresis.
package struct Threshold: Hashable, Sendable {
  package let raises: Region
  /// Includes `raises`.
  package let holds: Region
}

/// A part of the numbers. The bounds are finite.
package enum Region: Hashable, Sendable {
  case above(Double, inclusive: Bool)
  case below(Double, inclusive: Bool)
  case equal(Double)
  case different(Double)
  /// With both bounds.
  case between(ClosedRange<Double>)
  /// Without both bounds.
  case outside(ClosedRange<Double>)

  /// False for NaN; infinite values are above or below all.
  package func contains(_ value: Double) -> Bool {
    switch self {
    case .above(let bound, let inclusive): value > bound || inclusive && value == bound
    case .below(let bound, let inclusive): value < bound || inclusive && value == bound
    case .equal(let bound): value == bound
    case .different(let bound): value < bound || value > bound
    case .between(let range): range.contains(value)
    case .outside(let range): value < range.lowerBound || value > range.upperBound
    }
  }
}

/// A change per `per`, measured over about `over`: against the oldest sample that is not older than that, or, where samples are rarer, the one before.
package struct Rate: Hashable, Sendable {
  package let threshold: Threshold
  package let per: Duration
  package let over: Duration
}

/// Events of some types, with conditions on their fields that all must hold.
package struct EventMatch: Hashable, Sendable {
  package struct FieldTest: Hashable, Sendable {
    package enum Want: Hashable, Sendable {
      case number(Region)
      case text(String, isWanted: Bool)
    }

    /// The path of the field in the event's `data`: `code`, `cv_status.state`.
    package let path: [String]
    package let want: Want
  }

  package let type: Pattern
  package let fields: [FieldTest]

  func matches(_ event: Event) -> Bool {
    guard type.matches(event.type.rawValue) else { return false }
    guard !fields.isEmpty else { return true }
    guard let data = try? JSONObject(parsing: event.data) else { return false }
    return fields.allSatisfy { $0.holds(in: data) }
  }
}

extension EventMatch.FieldTest {
  /// A field that is missing or of another kind fulfils nothing; `true` and `false` are compared as these words.
  fileprivate func holds(in data: JSONObject) -> Bool {
    var object = data
    for name in path.dropLast() {
      guard let inner = object.object(name) else { return false }
      object = inner
    }
    guard let name = path.last else { return false }
    switch want {
    case .number(let region): return object.number(name).map(region.contains) ?? false
    case .text(let wanted, let isWanted):
      let raw = object.raw(name).map { String(decoding: $0, as: UTF8.self) }
      guard let text = object.string(name) ?? raw.flatMap({ ["true", "false"].contains($0) ? $0 : nil }) else { return false }
      return (text == wanted) == isWanted
    }
  }
}
