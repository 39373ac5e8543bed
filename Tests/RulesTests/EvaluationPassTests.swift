import EventLog
import Models
import RuleEvaluation
import Testing

@testable import Rules

@Suite struct EvaluationPassTests {
  private let noon = EventID(milliseconds: 1_771_070_400_000, sequence: 0)

  private func plans(_ rules: String...) throws -> RulePlans {
    RulePlans(.init(rules: try rules.map { try Rule(parsing: Array($0.utf8)) }))
  }

  private func record(_ data: String, of appliance: String = "A-1", after milliseconds: UInt64 = 0) throws -> LogRecord {
    let event = Event(
      type: try EventType("telemetry"), applianceID: try ApplianceID(appliance),
      timestamp: noon.receivedAt + .milliseconds(milliseconds), data: Array(data.utf8))
    return LogRecord(
      id: EventID(milliseconds: noon.milliseconds + milliseconds, sequence: 0), content: .event(event), isLate: false)
  }

  @Test func `A shard has room for so many series and no more`() throws {
    let plans = try plans(#"{"id":"r","when":{"metric":"*","operator":">","value":5}}"#)
    var pass = EvaluationPass([:], plans, seriesMax: 3)
    for number in 0..<5 { pass.take(try record(#"{"a":1,"b":1}"#, of: "A-\(number)")) }
    #expect(pass.seriesCount == 3 && pass.refusedCount == 7)
    #expect(pass.changes.map(\.applianceID.rawValue) == ["A-0", "A-1"])
  }

  @Test func `What no rule looks at is neither kept nor stored`() throws {
    var pass = EvaluationPass([:], try plans(#"{"id":"r","when":{"event":"beep"}}"#))
    for number in 0..<5 { pass.take(try record(#"{"a":1}"#, of: "A-\(number)")) }
    #expect(pass.isEmpty && pass.touched.isEmpty && pass.evaluationCount == 5)
  }

  @Test func `Cut anywhere, the log has the same effects`() throws {
    let plans = try plans(
      #"{"id":"a","when":{"metric":"t","operator":">","value":50},"for_seconds":0.3}"#, #"{"id":"b","when":{"no_data_seconds":1}}"#)
    let records = try (0..<200).map { number in
      try record(#"{"t":\#(number * 37 % 100)}"#, of: "A-\(number % 3)", after: UInt64(number * number))
    }
    var whole = EvaluationPass([:], plans)
    for record in records { whole.take(record) }
    let end = noon.receivedAt + .seconds(100)
    whole.advance(to: end)
    for length in [1, 7, 50] {
      var states: [ApplianceID: ApplianceState] = [:]
      var (clock, effects) = (Timestamp(microseconds: 0), [Effect]())
      for start in stride(from: 0, to: records.count, by: length) {
        var pass = EvaluationPass(states, plans, clock: clock)
        for record in records[start..<min(start + length, records.count)] { pass.take(record) }
        pass.advance(to: pass.clock)
        for (id, bytes) in pass.changes { states[id] = bytes.flatMap(ApplianceState.init) }
        (clock, effects) = (pass.clock, effects + pass.effects)
      }
      var last = EvaluationPass(states, plans, clock: clock)
      last.advance(to: end)
      #expect(Set(effects + last.effects) == Set(whole.effects) && effects.count + last.effects.count == whole.effects.count)
    }
  }
}
