import Models
import RuleEvaluation

/// What a rule would have done, as lines.
extension ReplayOutcome {
  var table: [String] {
    let (firings, alarms) = ordered
    var fired = Table(["FIRED", "APPLIANCE", "METRIC", "VALUE"])
    for firing in firings {
      fired.add([firing.at.iso8601, firing.applianceID.rawValue, firing.metric, firing.value.map(Self.number) ?? ""])
    }
    var raised = Table(["RAISED", "CLEARED", "APPLIANCE", "COUNT"])
    for alarm in alarms {
      raised.add([alarm.raisedAt.iso8601, alarm.clearedAt?.iso8601 ?? "", alarm.applianceID.rawValue, "\(alarm.raisedCount)"])
    }
    let summary = "\(firings.count) firings, \(alarms.count) alarms, of which \(alarms.count { $0.clearedAt == nil }) would be open"
    return (firings.isEmpty ? [] : fired.lines + [""]) + (alarms.isEmpty ? [] : raised.lines + [""]) + [summary]
  }

  /// `{"kind":"firing","appliance_id","metric","value","fired_at"}` and `{"kind":"alarm","appliance_id","raised_at","cleared_at","raised_count"}`.
  var json: [String] {
    let (firings, alarms) = ordered
    return firings.map { firing in
      Self.line([
        ("kind", Self.text("firing")), ("appliance_id", Self.text(firing.applianceID.rawValue)),
        ("metric", firing.metric.isEmpty ? "null" : Self.text(firing.metric)), ("value", firing.value.map(Self.number) ?? "null"),
        ("fired_at", Self.text(firing.at.iso8601)),
      ])
    }
      + alarms.map { alarm in
        Self.line([
          ("kind", Self.text("alarm")), ("appliance_id", Self.text(alarm.applianceID.rawValue)),
          ("raised_at", Self.text(alarm.raisedAt.iso8601)), ("cleared_at", alarm.clearedAt.map { Self.text($0.iso8601) } ?? "null"),
          ("raised_count", "\(alarm.raisedCount)"),
        ])
      }
  }

  private static func number(_ value: Double) -> String {
    var text: [UInt8] = []
    text.append(number: value)
    return String(decoding: text, as: UTF8.self)
  }

  private static func text(_ text: String) -> String {
    var json: [UInt8] = []
    json.append(json: text)
    return String(decoding: json, as: UTF8.self)
  }

  private static func line(_ members: [(String, String)]) -> String {
    "{" + members.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}"
  }
}
