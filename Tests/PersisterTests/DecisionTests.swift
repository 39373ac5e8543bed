import EventLog
import Models
import Store
import Testing

@testable import Persister

@Suite struct DecisionTests {
  private func id(_ milliseconds: UInt64, _ sequence: UInt64 = 0) -> EventID { EventID(milliseconds: milliseconds, sequence: sequence) }

  @Test func `An id that is no possible time is kept as a dead letter`() throws {
    let event = Event(type: try EventType("a"), applianceID: try ApplianceID("x"), timestamp: Timestamp(microseconds: 0))
    let records = [UInt64.max, 1_771_070_400_000].map { LogRecord(id: id($0), content: .event(event), isLate: false) }
    let rows = RecordRows(records, shard: 0)
    #expect(rows.rows.eventCount == 1 && rows.rows.deadLetterCount == 1 && rows.refusedCount == 1 && rows.days.count == 1)
    #expect(RecordRows(records, shard: 0, known: [id(1_771_070_400_000)]).knownCount == 1)
  }
}
