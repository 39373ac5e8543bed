import Models
import Testing

@testable import EventLog
@testable import Ingest

@Suite("What a lane has in hand")
struct LaneScheduleTests {
  private func queued(_ id: String, of appliance: String = "a") throws -> QueuedCommand {
    let now = TranslationTests.receivedAt
    let command = Command(
      id: id, applianceID: try ApplianceID(appliance), type: try EventType("cooking:pause"), issuedAt: now, expiresAt: now + .seconds(10))
    return QueuedCommand(command: command, isNew: true, place: .zero)
  }

  @Test func `commands of one appliance go one after the other, those of several side by side`() throws {
    var schedule = LaneSchedule(countMax: 10)
    let (one, two, other) = (try queued("1"), try queued("2"), try queued("3", of: "b"))
    #expect([one, two, other].map { schedule.add($0) } == [true, false, true])
    #expect(schedule.finish(one) == two)
    #expect(schedule.finish(other) == nil)
    #expect(schedule.finish(two) == nil)
    #expect(schedule.add(try queued("4")) && schedule.all.count == 1)
  }

  @Test func `one that is handed out again while it is in hand is not taken twice`() throws {
    var schedule = LaneSchedule(countMax: 10)
    #expect([try queued("1"), try queued("1"), try queued("2"), try queued("2")].map { schedule.add($0) } == [true, false, false, false])
    #expect(schedule.all.map(\.command.id) == ["1", "2"])
  }

  @Test func `there is room for so many, of all appliances`() throws {
    var schedule = LaneSchedule(countMax: 3)
    for (number, appliance) in ["a", "a", "b"].enumerated() { _ = schedule.add(try queued("\(number)", of: appliance)) }
    #expect(schedule.room == 0)
    _ = schedule.finish(try queued("0"))
    #expect(schedule.room == 1)
  }
}
