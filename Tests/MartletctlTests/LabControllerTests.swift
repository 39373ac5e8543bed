import Models
import Testing

@testable import Martletctl

@Suite struct LabControllerTests {
  private func values(_ batch: [UInt8]) throws -> [String: String] {
    guard case .batch(let batch) = try WebMACSControllerMessage(parsing: batch) else { throw WebMACSRejection("no batch") }
    #expect(batch.refusals.isEmpty)
    return Dictionary(uniqueKeysWithValues: batch.datapoints.map { ($0.eventID, String(decoding: $0.value, as: UTF8.self)) })
  }

  @Test func `Each batch has a reading of each sensor, and the same seed measures the same`() throws {
    var (first, second) = (LabController(sensors: ["a", "b\"c"], seed: 7), LabController(sensors: ["a", "b\"c"], seed: 7))
    var seen: Set<String> = []
    for _ in 0..<20 {
      let batch = first.batch()
      #expect(batch == second.batch())
      let values = try values(batch)
      #expect(values.keys.sorted() == ["a", "b\"c"])
      seen.formUnion(values.values)
    }
    #expect(seen.count > 20)
    var other = LabController(sensors: ["a", "b\"c"], seed: 8)
    #expect(other.batch() != second.batch())
  }

  @Test func `A batch without an answer is the one that is sent again`() {
    let desk = BatchDesk(LabController(sensors: ["a"], seed: 1), countMax: 2)
    let first = desk.next()
    #expect(first != nil && desk.next() == first)
    desk.answered()
    let second = desk.next()
    #expect(second != first && desk.next() == second && desk.answeredCount == 1)
    desk.answered()
    #expect(desk.next() == nil)
  }
}
