import EventLog
import Models
import Store
import Testing

@testable import Persister

@Suite struct ProjectionTests {
  private let cooker: ApplianceID

  init() throws { cooker = try ApplianceID("EPIC-001") }

  private func projected(_ records: [LogRecord]) -> Projections { RecordRows(records, shard: 0).projections }

  private func sessions(_ records: [LogRecord]) -> [String: CookingSessionRow] {
    Dictionary(uniqueKeysWithValues: projected(records).cooking.merged.map { ($0.id, $0) })
  }

  private func time(_ seconds: Int) -> Timestamp { CookingTale.noon + .seconds(seconds) }

  @Test func `A session gathers recipe, stages and end`() throws {
    var tale = try CookingTale()
    try tale.start("s", at: 0)
    try tale.progress("s", at: 5, stage: 1, "Heat")
    try tale.change("s", at: 60, from: 1, "Heat", lasting: 59, to: "Fry")
    try tale.progress("s", at: 65, stage: 2, "Fry")
    try tale.fail("s", at: 70, "POT_REMOVED")
    try tale.change("s", at: 100, from: 2, "Fry", lasting: 40, to: "Rest")
    try tale.complete("s", at: 200)
    let session = try #require(sessions(tale.records)["s"])
    #expect(session.recipeID == "r1" && session.recipeName == "Dal Tadka" && session.totalStages == 3)
    #expect(session.startedAt == time(0) && session.end == CookingEnd(.complete, at: time(200)))
    #expect(session.currentStage == 3 && session.currentStageName == "Rest")
    #expect(session.summary.map { String(decoding: $0, as: UTF8.self) }?.contains(#""total_duration_s":1.50"#) == true)
    let fry = try #require(session.stages[2])
    #expect(fry.name == "Fry" && fry.startedAt == time(60) && fry.endedAt == time(100) && fry.durationSeconds == 40)
    #expect(fry.result == "success" && fry.transition == "timer")
    #expect(session.stages.keys.sorted() == [1, 2, 3] && session.stages[3]?.endedAt == nil)
    #expect(
      session.lastFailure.map { String(decoding: $0.json, as: UTF8.self) }
        == #"{"code":"POT_REMOVED","severity":"warning","message":"Oh","action_taken":"e_stop","timestamp":"2026-02-14T12:01:10Z"}"#)
    #expect(session.updatedAt == time(6))
  }

  @Test func `Whatever the order, and however often each event comes, the row is the same`() throws {
    var tale = try CookingTale()
    try tale.progress("s", at: 5, stage: 1, "Heat")
    try tale.change("s", at: 60, from: 1, "Heat", lasting: 59, to: "Fry")
    try tale.fail("s", at: 70, "POT_REMOVED")
    try tale.fail("s", at: 80, "MOTOR_STALL")
    try tale.complete("s", at: 200)
    let rows = try tale.records.map { record -> CookingSessionRow in
      guard case .event(let event) = record.content else { throw NeverTrue(what: "a tale of events") }
      return try #require(CookingSessionRow(event, receivedAt: record.id.receivedAt))
    }
    func merged(_ rows: [CookingSessionRow]) -> CookingSessionRow {
      rows.dropFirst().reduce(into: rows[0]) { $0.merge($1) }
    }
    let expected = merged(rows)
    for order in Self.permutations(rows) {
      #expect(merged(order) == expected)
      #expect(merged(order + order.reversed()) == expected)
    }
  }

  private static func permutations<T>(_ items: [T]) -> [[T]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { index in
      var rest = items
      let item = rest.remove(at: index)
      return permutations(rest).map { [item] + $0 }
    }
  }

  @Test(arguments: [
    ("OVER_TEMPERATURE", CookingOutcome.error), ("COMMUNICATION_LOST", .error), ("POWER_ANOMALY", .error), ("MOTOR_STALL", nil),
    ("UNHEARD_OF", nil),
  ]) func `A critical error of the document ends a session, and nothing else does`(code: String, outcome: CookingOutcome?) throws {
    var tale = try CookingTale()
    try tale.start("s", at: 0)
    try tale.fail("s", at: 9, code)
    #expect(sessions(tale.records)["s"]?.end?.outcome == outcome)
    try tale.complete("s", at: 20)
    #expect(sessions(tale.records)["s"]?.end == CookingEnd(.complete, at: time(20)))
  }

  @Test func `A stop ends what is open, and a new session what is left of the one before`() throws {
    var tale = try CookingTale()
    try tale.start("a", at: 0)
    try tale.stop(at: 10)
    try tale.start("b", at: 20)
    try tale.start("c", at: 30)
    try tale.start("c", at: 31)
    try tale.progress("b", at: 32, stage: 1, "Heat")
    let ends = sessions(tale.records).mapValues(\.end)
    #expect(ends["a"] == CookingEnd(.stopped, at: time(10)))
    #expect(ends["b"] == CookingEnd(.abandoned, at: time(30)))
    #expect(ends["c"] == .some(nil))
  }

  @Test func `The device's own word on a session beats what was inferred of it`() throws {
    var tale = try CookingTale()
    try tale.start("a", at: 0)
    try tale.start("b", at: 20)
    try tale.complete("a", at: 15)
    #expect(sessions(tale.records)["a"]?.end == CookingEnd(.complete, at: time(15)))
  }

  @Test func `Events that do not say of which session or command are counted and change nothing`() throws {
    var tale = try CookingTale()
    for data in ["", "'session_id':''", "'session_id':7", "'session_id':'\(String(repeating: "x", count: 129))'"] {
      try tale.tell("cooking:started", at: 0, data)
    }
    for data in ["'type':'cooking:stop'", "'command_id':'c'", "'command_id':'c','type':'no type'"] {
      try tale.tell("command:acknowledged", at: 0, data)
    }
    try tale.tell("cooking:paused", at: 0, "")
    let projections = projected(tale.records)
    #expect(projections.unprojectedCount == 7 && projections.cooking.merged.isEmpty && projections.commands.merged.isEmpty)
  }

  @Test func `Odd numbers are left out`() throws {
    var tale = try CookingTale()
    for (number, stage) in ["-1", "1.5", "1e300", "'2'", "null", "1000001"].enumerated() {
      let stages = "'previous_stage':{'index':\(stage)},'next_stage':{'index':\(stage)}"
      try tale.tell("cooking:stage_change", at: number, "'session_id':'s','total_stages':\(stage),\(stages)")
    }
    try tale.tell("cooking:stage_change", at: 9, "'session_id':'s','previous_stage':{'index':4,'duration_s':1e300},'next_stage':[]")
    let session = try #require(sessions(tale.records)["s"])
    #expect(session.totalStages == nil && session.stages.keys.sorted() == [4] && session.stages[4]?.durationSeconds == nil)
  }

  @Test func `A command gathers its request, its way and its outcome`() throws {
    let command = Command(
      id: "c1", applianceID: cooker, type: try EventType("cooking:start"), issuedAt: time(0), expiresAt: time(10),
      data: Array(#"{"recipe_id":"r1"}"#.utf8))
    let failure = CommandFailure(commandID: "c1", type: command.type, code: .timeout, message: "Too late")
    let events = [
      command.requested(by: "ann", requestID: "q"), CommandOutcome.sent(command.id, command.type, to: cooker, at: time(1)),
      failure.event(of: cooker, at: time(11)),
    ]
    for events in [events, events.reversed()] {
      let records = events.enumerated().map { number, event in
        LogRecord(id: EventID(milliseconds: 1_771_070_400_000, sequence: UInt64(number)), content: .event(event), isLate: false)
      }
      let row = try #require(projected(records).commands.merged.first)
      #expect(row.userID == "ann" && row.data == command.data && row.issuedAt == time(0) && row.expiresAt == time(10))
      #expect(row.type == command.type && row.sentAt == time(1))
      #expect(row.settlement == CommandRow.Settlement(.failed, code: "COMMAND_TIMEOUT", message: "Too late", at: time(11)))
    }
  }
}
