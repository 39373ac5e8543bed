package import Models
package import RuleEvaluation

extension AlarmRows.Alarm {
  /// What is told of the alarm: `{"alarm_id","source","name","severity","raised_count","metric","value"}`; `metric` and `value` only where there are any. One that is
  /// acknowledged has `acknowledged_by` and `state` besides, which is `open` or `cleared`: what is over may not have been seen either.
  ///
  /// - Parameters:
  ///   - type: `alarm:raised`, `alarm:updated`, `alarm:acknowledged` or `alarm:cleared`.
  ///   - acknowledgement: whose, and whether the alarm was over by then.
  package func message(
    _ type: EventType, at time: Timestamp, acknowledgement: (userID: String, isCleared: Bool)? = nil
  ) -> RuleOutbox.Message {
    var text: [UInt8] = []
    text.append("{\"alarm_id\":")
    text += String(id).utf8
    text.append(",\"source\":")
    text.append(json: source)
    text.append(",\"name\":")
    text.append(json: name)
    text.append(",\"severity\":")
    text.append(json: severity)
    text.append(",\"raised_count\":")
    text += String(raisedCount).utf8
    text.appendMetric(metric, value)
    if let acknowledgement {
      text.append(",\"acknowledged_by\":")
      text.append(json: acknowledgement.userID)
      text.append(acknowledgement.isCleared ? ",\"state\":\"cleared\"" : ",\"state\":\"open\"")
    }
    text.append(UInt8(ascii: "}"))
    return RuleOutbox.Message(type, of: applianceID, data: text, at: time)
  }
}

extension Firing {
  /// What is told of the firing, as `rule:triggered`: `{"rule_id","name","severity","metric","value"}`; `metric` and `value` only where there are any.
  package func message(_ rule: Rule) -> RuleOutbox.Message {
    var text: [UInt8] = []
    text.append("{\"rule_id\":")
    text.append(json: rule.id)
    text.append(",\"name\":")
    text.append(json: rule.name)
    text.append(",\"severity\":")
    text.append(json: rule.severity.rawValue)
    text.appendMetric(metric, value)
    text.append(UInt8(ascii: "}"))
    return RuleOutbox.Message(.ruleTriggered, of: applianceID, data: text, at: at)
  }
}

extension [UInt8] {
  fileprivate mutating func appendMetric(_ metric: String, _ value: Double?) {
    if !metric.isEmpty {
      append(",\"metric\":")
      append(json: metric)
    }
    if let value {
      append(",\"value\":")
      append(number: value)
    }
  }
}
